"""Takes over into the audit what the edge refuses by itself, before anything behind it hears of it.

That is: too many connections, bodies and headers that are too large, addresses that are not offered. nginx writes a line for each
into the file TONGBAN_EDGE_REFUSALS, and this reads on where it stopped. Of what comes within one reading from one place for one
reason, the first is recorded, with the number of all: a flood cannot fill the audit.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from chassis import context, log
from chassis.audit import Audit
from chassis.durable import replace_file
from gateway import limits

EVERY = 2.0  # seconds
CHUNK = 4 << 20  # bytes of one reading
PLACES = 500  # told apart in one reading; those of further ones are counted together
# Status of the edge's answer → result and code on record.
REASONS = {
    400: ("REQUEST_MALFORMED", "INVALID_ARGUMENT"),
    403: ("FORBIDDEN", "PERMISSION_DENIED"),
    405: ("METHOD_REFUSED", "PERMISSION_DENIED"),
    413: ("TOO_LARGE", "RESOURCE_EXHAUSTED"),
    421: ("HOST_UNKNOWN", "PERMISSION_DENIED"),
    429: ("TOO_OFTEN", "RESOURCE_EXHAUSTED"),
}
NEEDED = ("at", "status", "request_id", "trace", "address", "method", "host", "path")
_log = log.get(__name__)


@dataclass(frozen=True)
class _Place:
    """The part of the file that is being taken over; begin == end: none is. inode: of which file."""

    inode: int = 0
    begin: int = 0
    end: int = 0


class Reader:
    """Reads the file of one edge. Several processes may have one: whichever comes first reads, the others do nothing."""

    def __init__(self, audit: Audit, written: Path, folder: Path) -> None:
        self._audit = audit
        self._written = written
        self._kept = folder / "edge-refusals.json"

    def read(self) -> int:
        """Record what is new; returns how many records that were.

        Raises Unavailable when the disk does not take them, and OSError when it does not take how far this came: then they are read
        again, and what is recorded twice has the same id.
        """
        with self._alone() as alone:
            for written in self._files() if alone else ():
                with written.open("rb") as file:
                    place = self._next(file)
                    file.seek(place.begin)
                    lines = file.read(place.end - place.begin).split(b"\n")
                if place.begin < place.end:
                    told = _counted(line for line in map(_understood, lines) if line)
                    for first, count in told:
                        self._record(first, count)
                    self._keep(replace(place, begin=place.end))
                    return len(told)
        return 0

    def _files(self) -> Iterator[Path]:
        """The file that was set aside while it was read, and the present one."""
        aside, inode = self._written.with_suffix(".log.1"), self._known().inode
        if aside.exists() and aside.stat().st_ino == inode:
            yield aside
        if self._written.exists():
            yield self._written

    def _next(self, file: Any) -> _Place:
        """What is to be taken over now: what an earlier process had begun with, or else whole lines from there to the end."""
        place, inode = self._known(), os.fstat(file.fileno()).st_ino
        size = file.seek(0, 2)
        if place.inode != inode or size < place.end:
            place = _Place(inode)
        if place.begin < place.end:
            return place
        file.seek(place.begin)
        whole = file.read(CHUNK).rfind(b"\n") + 1
        place = replace(place, end=place.begin + whole)
        if whole:
            # Before the first record, so that whoever has to do it again counts the same lines under the same ids.
            self._keep(place)
        return place

    def _record(self, line: dict[str, Any], count: int) -> None:
        result, code = REASONS[line["status"]]
        call = context.Call(
            request_id=line["request_id"], address=line["address"], traceparent=f"00-{line['trace']}"
        )
        with context.serving(call):
            self._audit.record(
                "RequestRefused", result, code=code, service="edge", id=f"edge:{line['request_id']}",
                about=f"{line['method']} {line['host']}{line['path']}", at_ms=int(line["at"] * 1000), count=count if count > 1 else "",
            )  # fmt: skip

    @contextlib.contextmanager
    def _alone(self) -> Iterator[bool]:
        with self._kept.with_suffix(".lock").open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                yield False
            else:
                yield True

    def _known(self) -> _Place:
        try:
            return _Place(**json.loads(self._kept.read_bytes()))
        except FileNotFoundError:
            return _Place()
        except (ValueError, TypeError) as problem:
            _log.warning("edge refusals are read from the beginning", problem=str(problem))
            return _Place()

    def _keep(self, place: _Place) -> None:
        replace_file(self._kept, json.dumps(vars(place)).encode())


def _understood(line: bytes) -> dict[str, Any] | None:
    """What is needed of a line as nginx writes it; None for the end of the file, and for what is no such line."""
    if not line:
        return None
    try:
        found = json.loads(line.decode("utf-8", "replace"))
        needed = {name: found[name] for name in NEEDED}
        json.dumps(needed, ensure_ascii=False).encode()  # half a character, say, could not be recorded
        return needed if needed["status"] in REASONS else None
    except (ValueError, KeyError, TypeError) as problem:
        _log.warning("line of the edge not understood", problem=str(problem))
        return None


def _counted(lines: Iterator[dict[str, Any]]) -> list[tuple[dict[str, Any], int]]:
    """The first line of each place and status, and how many there were of it."""
    found: dict[tuple[int, str], list[Any]] = {}
    for line in lines:
        first, key = line, (line["status"], limits.place(line["address"]))
        if key not in found and len(found) >= PLACES:
            first, key = {**line, "address": ""}, (line["status"], "")
        found.setdefault(key, [first, 0])[1] += 1
    return [(line, count) for line, count in found.values()]
