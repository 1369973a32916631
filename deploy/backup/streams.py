"""The broker's part: events that some consumer has yet to take in, dead letters, key-value buckets.

The streams are transport, the records are the truth: an event is in its aggregate's outbox until the stream has it, and in the
stream until every consumer has acknowledged it. So what is behind all consumers is not kept, and consumers have no state to keep: on
a restored stream, which begins with the first event that somebody lacked, they begin at its beginning. What one of them gets twice
it takes as once.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Iterable, Iterator
from pathlib import Path
from typing import Any, Self, TypeVar

import bson
from nats.js.errors import NotFoundError

from chassis.bus import Bus
from chassis.settings import Settings
from chassis.streams import DEAD, STREAM
from deploy.backup.merkle import Tally

EVENTS, LETTERS, BUCKET = f"stream/{STREAM}", f"stream/{DEAD}", "bucket/"
_KV = "KV_"
# Stands witness against an older copy of the audit's chain, so it is not made older together with it.
WITNESS = "KV_audit_checkpoints"
_AT_ONCE = 64
_PAGE = 256
T = TypeVar("T")


class Broker:
    """The running broker. Use as a context manager."""

    def __init__(self, nats_url: str) -> None:
        unused = Path("/nonexistent")
        self._bus = Bus(Settings("backup", "backup", "", "", nats_url, "", "", unused, unused))
        self._runner = asyncio.Runner()

    def __enter__(self) -> Self:
        self._run(self._bus.connect())
        return self

    def __exit__(self, *_: object) -> None:
        self._run(self._bus.close())
        self._runner.close()

    def _run(self, job: Awaitable[T]) -> T:
        async def waited() -> T:
            return await job

        return self._runner.run(waited())

    def last(self, stream: str) -> int:
        """The sequence of the newest message."""
        return int(self._run(self._bus.js.stream_info(stream)).state.last_seq)

    def missing_after(self) -> tuple[int, int]:
        """(a, b): every consumer has acknowledged all its events up to a; b is the newest event.

        To be asked while the database is held still: then no event behind b can have a cause or an effect in the records.
        """
        before = self.last(STREAM)
        floors = [self._floor(info, before) for info in self._consumers()]
        return min(floors, default=0), self.last(STREAM)

    def _consumers(self) -> list[Any]:
        found: list[Any] = []
        while len(page := self._run(self._bus.js.consumers_info(STREAM, offset=len(found)))) > 0:
            found += page
            if len(page) < _PAGE:
                break
        return [info for info in found if info.config.durable_name]

    def _floor(self, info: Any, last: int) -> int:
        # The broker moves a floor only by acknowledgements; who wants none of what came since lacks nothing.
        return last if not info.num_pending and not info.num_ack_pending else int(info.ack_floor.stream_seq)

    def messages(self, stream: str, after: int, upto: int) -> Iterator[bytes]:
        """The messages behind `after` up to and with `upto`, in order; each event once.

        Where somebody sent an event twice (a replay after the window in which the broker notices), its first time counts.
        """
        first = max(after + 1, int(self._run(self._bus.js.stream_info(stream)).state.first_seq))
        seen: set[str] = set()
        for start in range(first, upto + 1, _AT_ONCE):
            for message in self._run(self._fetch(stream, range(start, min(start + _AT_ONCE, upto + 1)))):
                # How it came into the stream is no part of it; in a batch that is never finished nothing would be stored again.
                headers = {
                    name: value
                    for name, value in (message.headers or {}).items()
                    if not name.startswith("Nats-Batch-")
                }
                identity = headers.get("Nats-Msg-Id", "")
                if not identity or identity not in seen:
                    yield bson.encode(
                        {"subject": message.subject, "headers": headers, "data": message.data or b""}
                    )
                seen.add(identity)

    async def _fetch(self, stream: str, sequences: Iterable[int]) -> list[Any]:
        async def one(sequence: int) -> Any:
            try:
                return await self._bus.js.get_msg(stream, sequence)
            except NotFoundError:
                return None  # Deleted: a dead letter that was put away, an event past its age.

        found = await asyncio.gather(*(one(sequence) for sequence in sequences))
        return [message for message in found if message is not None]

    def buckets(self) -> list[str]:
        """The sections of all key-value buckets."""
        streams = self._run(self._bus.js.streams_info())
        names = (info.config.name or "" for info in streams)
        return sorted(
            BUCKET + name.removeprefix(_KV) for name in names if name.startswith(_KV) and name != WITNESS
        )

    def left_out(self) -> list[str]:
        """Streams which are none of the platform's; they are not kept."""
        names = (info.config.name or "" for info in self._run(self._bus.js.streams_info()))
        return sorted(
            name
            for name in names
            if name not in (STREAM, DEAD) and (name == WITNESS or not name.startswith(_KV))
        )

    def pairs(self, section: str) -> Iterator[bytes]:
        """The present values of a bucket, sorted by key."""
        name = section.removeprefix(BUCKET)
        bucket = self._run(self._bus.bucket(name))
        for key in self._run(self._bus.keys(name)):
            try:
                value = self._run(bucket.get(key)).value
            except NotFoundError:
                continue  # Deleted.
            yield bson.encode({"key": key, "value": value or b""})

    def load(self, section: str, contents: list[bytes]) -> None:
        """Publish messages, or put pairs, of an archive in their order; returns once all are durable."""
        entries = [bson.decode(content) for content in contents]

        async def put() -> None:
            bucket = await self._bus.bucket(section.removeprefix(BUCKET))
            await asyncio.gather(*(bucket.put(entry["key"], entry["value"]) for entry in entries))

        async def publish() -> None:
            send = self._bus.js.publish
            await asyncio.gather(
                *(send(one["subject"], one["data"], headers=one["headers"], timeout=30) for one in entries)
            )

        self._run(put() if section.startswith(BUCKET) else publish())

    def tally(self, section: str) -> Tally:
        """The tally over a stream or bucket as it stands."""
        found = Tally()
        name = section.removeprefix("stream/")
        held = self.pairs(section) if section.startswith(BUCKET) else self.messages(name, 0, self.last(name))
        for content in held:
            found.add(content)
        return found
