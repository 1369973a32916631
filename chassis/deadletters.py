"""The dead letters: buried by consumers; listed, replayed, put away by the portal's administration."""

from __future__ import annotations

import asyncio
import uuid
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import quote, unquote

from nats.aio.msg import Msg
from nats.errors import Error as NatsError
from nats.js.errors import NotFoundError

from chassis import log, telemetry
from chassis.bus import Bus
from chassis.bus_thread import BusThread
from chassis.errors import not_found
from chassis.streams import DEAD

AT_ONCE = 50  # letters asked for at the same time
_log = log.get(__name__)


@dataclass(frozen=True)
class DeadLetter:
    """One event that a consumer could not take in."""

    sequence: int
    subject: str
    consumer: str
    reason: str
    event: str
    time: datetime | None
    size: int


async def bury(bus: Bus, place: str, durable: str, message: Msg, why: str) -> bool:
    """Put an event of the consumer `durable` among the dead letters; False when they cannot take it now: it must not be given up."""
    headers = message.headers or {}
    dead = {
        **{key: value for key, value in headers.items() if not key.startswith("Nats-")},
        "Dead-Subject": message.subject,
        "Dead-Consumer": durable,
        # Escaped, for headers outside of ASCII do not come back from the client as they went in.
        "Dead-Reason": quote(" ".join(why.split())[:500], safe=" !#$&'()*+,/:;=?@[]<>"),
        "Nats-Msg-Id": f"{durable}/{message.metadata.sequence.stream}",
    }
    about = {
        "consumer": durable,
        "event_id": headers.get("ce-id"),
        "subject": message.subject,
        "problem": why,
        "trace": telemetry.trace_of(headers.get("traceparent", "")),
    }
    try:
        await bus.js.publish(f"dead.tongban.{place}", message.data, headers=dead)
    except (NatsError, TimeoutError) as problem:
        _log.error("dead letter refused", refusal=str(problem) or type(problem).__name__, **about)
        return False
    _log.error("dead letter", **about)
    return True


class DeadLetters:
    """Access to the dead-letter stream through this process's bus."""

    def __init__(self, bus: BusThread) -> None:
        self._bus = bus

    def listing(self, limit: int = 100) -> list[DeadLetter]:
        """The newest dead letters, newest first."""
        found: list[DeadLetter] = self._bus.run(self._listing(limit), 10)
        return found

    def replay(self, sequence: int) -> None:
        """Publish the event again under its own id, and put the dead letter away.

        Every consumer of its subject sees it again, which is harmless: handlers are idempotent by event id.
        Raises NotFound.
        """
        if not 0 < sequence < 1 << 63:
            # The stream counts from one, and answers such a number as if it were away.
            raise not_found("死信")
        self._bus.run(self._replay(sequence), 10)

    async def _listing(self, limit: int) -> list[DeadLetter]:
        js = self._bus.bus.js
        state = (await js.stream_info(DEAD)).state
        found: list[DeadLetter] = []
        # Side by side, for each is a question to the broker; replayed letters leave gaps, which are passed over.
        for end in range(state.last_seq, max(state.first_seq, 1) - 1, -AT_ONCE):
            sequences = range(end, max(end - AT_ONCE, state.first_seq - 1, 0), -1)
            letters = await asyncio.gather(*(self._letter(sequence) for sequence in sequences))
            found += [letter for letter in letters if letter]
            if len(found) >= limit:
                break
        return found[:limit]

    async def _letter(self, sequence: int) -> DeadLetter | None:
        try:
            raw = await self._bus.bus.js.get_msg(DEAD, sequence)
        except NotFoundError:
            return None
        headers = raw.headers or {}
        return DeadLetter(
            sequence=sequence, subject=headers.get("Dead-Subject", raw.subject or ""),
            consumer=headers.get("Dead-Consumer", ""), reason=unquote(headers.get("Dead-Reason", "")),
            event=headers.get("ce-id", ""), time=_moment(headers.get("ce-time", "")),
            size=len(raw.data or b""),
        )  # fmt: skip

    async def _replay(self, sequence: int) -> None:
        js = self._bus.bus.js
        try:
            raw = await js.get_msg(DEAD, sequence)
        except NotFoundError as problem:
            raise not_found("死信") from problem
        headers = dict(raw.headers or {})
        subject = headers.get("Dead-Subject")
        if not subject:
            raise not_found("死信")
        kept = {key: value for key, value in headers.items() if not key.startswith(("Dead-", "Nats-"))}
        # A new message id, since the stream would drop the old one as a duplicate; the event's own id stays.
        await js.publish(
            subject, raw.data or b"", headers={**kept, "Nats-Msg-Id": f"replay-{uuid.uuid4().hex}"}
        )
        await js.delete_msg(DEAD, sequence)


def _moment(text: str) -> datetime | None:
    """The time that a header states; None for nonsense, which may be why the letter is here."""
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        return None
