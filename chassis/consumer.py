"""Durable pull consumers with back-off and dead letters.

A handler gets each event at least once and in any order; it must be idempotent by the event's id. After five deliveries an event
goes to the dead-letter stream with its reason and can be replayed from the administration's page. A failing event waits by
itself: the others go on. When what the handler needs is away (Unavailable, TimedOut), the event waits for as long as that takes:
an outage is no fault of the event's and fills no dead letters.
"""

from __future__ import annotations

import asyncio
import traceback
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from urllib.parse import quote

from google.protobuf.message import DecodeError, Message
from nats.aio.msg import Msg
from nats.errors import Error as NatsError
from nats.js.api import AckPolicy, ConsumerConfig, DeliverPolicy

from chassis import context, log, telemetry
from chassis.aggregate import Request
from chassis.bus import STREAM, Bus
from chassis.errors import TimedOut, Unavailable

MAX_DELIVER = 5
BACKOFF = (0.2, 0.5, 1.0, 2.0)
AWAY = 15.0  # seconds at most between two tries while something is away
_log = log.get(__name__)


class Later(Exception):  # noqa: N818 - a wish, not an error
    """Raised by a handler: deliver this event again after so many seconds; nothing is wrong."""

    def __init__(self, seconds: float) -> None:
        super().__init__(seconds)
        self.seconds = seconds


@dataclass(frozen=True)
class Event:
    """One event as a handler gets it."""

    id: str
    subject: str
    service: str  # the service that published it
    actor: str
    time: datetime
    message: Any

    def request(self, part: str = "") -> Request:
        """The idempotency key of this event's effect on an aggregate."""
        return Request.event(self.id, part)


@dataclass(frozen=True)
class Consumer:
    """What a service listens to.

    name: durable name, unique within the service; handlers: subject → (message class, handler). A subject may hold the wildcard
    `*`. Handlers are plain functions and run in a thread.
    """

    name: str
    handlers: dict[str, tuple[type[Message], Callable[[Event], None]]] = field(default_factory=dict)

    def find(self, subject: str) -> tuple[type[Message], Callable[[Event], None]] | None:
        """Message class and handler for a subject."""
        parts = subject.split(".")
        for pattern, entry in self.handlers.items():
            wanted = pattern.split(".")
            if len(wanted) == len(parts) and all(w in ("*", p) for w, p in zip(wanted, parts, strict=True)):
                return entry
        return None


class Running:
    """One consumer at work."""

    def __init__(self, service: str, consumer: Consumer, bus: Bus) -> None:
        self._service = service
        self._consumer = consumer
        self._bus = bus
        self._durable = f"{service}-{consumer.name}"
        # Stream sequence → deliveries that ended because something was away; they do not count as failures.
        self._away: Counter[int] = Counter()
        self.bound = asyncio.Event()

    async def run(self) -> None:
        """Pull for ever; bind again whenever the broker forgot us."""
        while True:
            try:
                subscription = await self._bind()
                self.bound.set()
                await self._pull(subscription)
            except (NatsError, TimeoutError, OSError) as problem:
                _log.warning("consumer rebinds", consumer=self._durable, problem=str(problem) or type(problem).__name__)
                await asyncio.sleep(0.5)

    async def _bind(self) -> Any:
        config = ConsumerConfig(
            durable_name=self._durable, filter_subjects=sorted(self._consumer.handlers), ack_policy=AckPolicy.EXPLICIT,
            # Without a limit of the broker's: an event is given up here, with a dead letter, or not at all.
            max_deliver=-1, ack_wait=30, deliver_policy=DeliverPolicy.ALL, max_ack_pending=1000,
        )  # fmt: skip
        await self._bus.js.add_consumer(STREAM, config)
        return await self._bus.js.pull_subscribe_bind(durable=self._durable, stream=STREAM)

    async def _pull(self, subscription: Any) -> None:
        idle = 0
        while True:
            try:
                messages = await subscription.fetch(50, timeout=5)
            except TimeoutError:
                idle += 1
                if idle % 2 == 0:
                    # After a restart of the broker a pull subscription stays silent for ever: ask whether we still exist.
                    await subscription.consumer_info()
                continue
            idle = 0
            for message in messages:
                await self._one(message)

    async def _one(self, message: Msg) -> None:
        headers = message.headers or {}
        sequence = message.metadata.sequence.stream
        deliveries = message.metadata.num_delivered - self._away[sequence]
        try:
            await asyncio.to_thread(self._handle, message.subject, headers, message.data)
        except Later as wish:
            await message.nak(delay=wish.seconds)
            return
        except Exception as problem:  # noqa: BLE001 - whatever a handler raises, the event is kept
            why = "".join(traceback.format_exception_only(problem)).strip()
            _log.warning("event failed", consumer=self._durable, event_id=headers.get("ce-id"), delivery=deliveries, problem=why)
            if isinstance(problem, Unavailable | TimedOut):
                self._away[sequence] += 1
                await message.nak(delay=min(0.2 * 2 ** self._away[sequence], AWAY))
                return
            if deliveries < MAX_DELIVER and not isinstance(problem, DecodeError):
                await message.nak(delay=BACKOFF[min(deliveries, len(BACKOFF)) - 1])
                return
            await self._bury(message, headers, why)
        self._away.pop(sequence, None)
        await message.ack()

    def _handle(self, subject: str, headers: dict[str, str], data: bytes) -> None:
        entry = self._consumer.find(subject)
        if entry is None:
            raise LookupError(f"no handler for {subject}")
        kind, handler = entry
        event = Event(
            id=headers["ce-id"],
            subject=subject,
            service=headers.get("ce-source", "").rpartition("/")[2],
            actor=headers.get("tongban-actor", ""),
            time=datetime.fromisoformat(headers["ce-time"]),
            message=kind.FromString(data),
        )
        call = context.Call(
            request_id=headers.get("tongban-request", event.id), method=f"event {subject}",
            traceparent=headers.get("traceparent", ""),
        )  # fmt: skip
        with context.serving(call), telemetry.span(f"handle {subject}", call.traceparent):
            handler(event)

    async def _bury(self, message: Msg, headers: dict[str, str], why: str) -> None:
        sequence = message.metadata.sequence.stream
        dead = {
            **{key: value for key, value in headers.items() if not key.startswith("Nats-")},
            "Dead-Subject": message.subject,
            "Dead-Consumer": self._durable,
            # Escaped, for headers outside of ASCII do not come back from the client as they went in.
            "Dead-Reason": quote(" ".join(why.split())[:500], safe=" !#$&'()*+,/:;=?@[]<>"),
            "Nats-Msg-Id": f"{self._durable}/{sequence}",
        }
        await self._bus.js.publish(f"dead.tongban.{self._service}.{self._consumer.name}", message.data, headers=dead)
        _log.error("dead letter", consumer=self._durable, subject=message.subject, problem=why)
