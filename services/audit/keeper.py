"""The single writer of the chain: what comes from the stream, in its order, each record once, on the disk before the next is taken."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import Any

from google.protobuf.message import DecodeError
from tongban.events.v1 import audit_pb2 as pb

from chassis import log
from chassis.clock import now
from services.audit.model.chain import Checkpoint, read, record_of, written
from services.audit.model.sources import Sources
from services.audit.repository import Writer
from services.audit.signing import Signer

_TEXTS = (
    "id", "service", "action", "object", "person", "name", "unit", "on_behalf_of", "session", "address", "peer",
    "result", "code", "request_id", "trace", "acting_service",
)  # fmt: skip
_log = log.get(__name__)
Kept = tuple[int, dict[str, Any]]


def told(record: pb.AuditRecord) -> dict[str, Any]:
    """A record as it stands in the chain: what is empty is left out."""
    found: dict[str, Any] = {name: value for name in _TEXTS if (value := getattr(record, name))}
    micros = record.at.seconds * 1_000_000 + record.at.nanos // 1000
    found["at"] = stamp(datetime.fromtimestamp(micros / 1_000_000, UTC))
    if record.level:
        found["level"] = record.level
    if record.details:
        found["details"] = dict(record.details)
    return found


def stamp(moment: datetime) -> str:
    """A time as the chain writes it."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


class Keeper:
    """Appends to the chain. Safe for several threads, of which one at a time appends."""

    def __init__(self, chain: Writer, signer: Signer) -> None:
        self._chain = chain
        self._signer = signer
        self._lock = threading.Lock()
        head = chain.head()
        begin = chain.begin()
        self.number = head.number if head else begin[0] - 1
        self.sum = head.sum if head else begin[1]
        self.position = head.position if head else 0
        self.kept = head.kept if head else ""
        state = chain.state()
        self.stream = str(state.get("stream", ""))
        self._sources = self._known(state)
        self._signed = max((one.number for one in chain.checkpoints()), default=0)

    def take(self, messages: Iterable[tuple[int, bytes]]) -> list[Kept]:
        """Append the records of these messages (position in the stream, batch) that are new; returns them with their numbers.

        Raises OSError when the disk does not take them; then none of them counts as taken.
        """
        with self._lock:
            lines: list[bytes] = []
            kept: list[Kept] = []
            number, last, position = self.number, self.sum, self.position
            moment = stamp(now())
            fresh: set[str] = set()
            for at, record in self._records(messages):
                position = at
                if record["id"] in fresh or not self._sources.is_new(record["id"]):
                    continue
                fresh.add(record["id"])
                number += 1
                line, last = written(number, at, last, moment, record)
                lines.append(line)
                kept.append((number, record))
            if lines:
                self._chain.append(lines, self.number + 1)
                for identity in fresh:
                    self._sources.add(identity)
                self.number, self.sum, self.kept = number, last, moment
            self.position = position
            return kept

    def checkpoint(self) -> Checkpoint | None:
        """A signed checkpoint of the last line, kept beside the chain when there is a new line; None while there is none at all."""
        with self._lock:
            if not self.number:
                return None
            made = self._signer.sign(Checkpoint(self.number, self.sum, stamp(now())))
            if self.number > self._signed:
                self._chain.add_checkpoint(made)
                self._signed = self.number
            return made

    def note(self) -> None:
        """Note what is in the chain and that this writer lives."""
        with self._lock:
            self._chain.note(
                {
                    "at": stamp(now()), "head": self.number, "position": self.position, "sources": self._sources.to_keep(),
                    "stream": self.stream, "lost": self._sources.lost(),
                }
            )  # fmt: skip

    def begin_stream(self, created: str) -> int:
        """The position after which to read the stream that was made at this time."""
        if created != self.stream:
            # Another stream than before, as after a restore: its positions begin anew, and what is known is known by its id.
            self.position, self.stream = 0, created
        # The last message may have been taken in part only.
        return max(0, self.position - 1)

    def _records(self, messages: Iterable[tuple[int, bytes]]) -> Iterator[tuple[int, dict[str, Any]]]:
        for position, data in messages:
            try:
                batch = pb.AuditBatch.FromString(data)
            except DecodeError:
                # It stays in the stream for thirty days, and its absence shows as numbers that never came.
                _log.error("unreadable audit message", position=position)
                continue
            for record in batch.records:
                yield position, told(record)

    def _known(self, state: dict[str, Any]) -> Sources:
        """What is in the chain already: as noted, and what came after the note."""
        noted = int(state.get("head", 0))
        if noted > self.number:
            # The chain is shorter than it was: the note is of another chain.
            state, noted = {}, 0
        sources = Sources(state.get("sources"))
        for raw, _ in self._chain.lines(noted + 1):
            if read(raw).number > noted:
                sources.add(str(record_of(raw).get("id", "")))
        return sources
