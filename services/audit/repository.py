"""The chain on the disk: segment files that are only ever appended to, checkpoints beside them, and the anchor of what was removed.

chain/segment-000000000001.jsonl   lines of the chain; the number in the name is that of its first
chain/checkpoints.jsonl            signed checkpoints, one a line
chain/anchor.json                  after a removal: where the rest begins
chain/state.json                   which records are in it; can be made anew from the segments
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

from chassis.durable import append_line, replace_file, sync_folder, write_all
from services.audit.model.chain import GENESIS, Anchor, Checkpoint, Line, Unreadable, canonical, read

SEGMENT_BYTES = 16 << 20
CHECKPOINTS, ANCHOR, STATE, LOCK = "checkpoints.jsonl", "anchor.json", "state.json", "lock"


class Busy(RuntimeError):
    """Another process writes this chain."""


class Chain:
    """The files of one chain, for reading."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def segments(self) -> list[Path]:
        """The segment files in their order."""
        return sorted(self.folder.glob("segment-*.jsonl"))

    def lines(self, first: int = 1) -> Iterator[tuple[bytes, str]]:
        """Every line with its place, from the segment on that holds this number. A last line without an end is still being written."""
        found = self.segments()
        start = max((at for at, path in enumerate(found) if first_of(path) <= first), default=0)
        for path in found[start:]:
            with path.open("rb") as source:
                for at, raw in enumerate(source, 1):
                    if raw.endswith(b"\n"):
                        yield raw[:-1], f"{path.name}:{at}"

    def line(self, number: int) -> bytes | None:
        """One line by its number."""
        for raw, _ in self.lines(number):
            try:
                found = read(raw).number
            except Unreadable:
                continue
            if found == number:
                return raw
            if found > number:
                return None
        return None

    def head(self) -> Line | None:
        """The last whole line, None while there is none."""
        for path in reversed(self.segments()):
            last = None
            with path.open("rb") as source:
                source.seek(max(0, path.stat().st_size - (1 << 20)))
                for raw in source.read().split(b"\n")[:-1]:
                    last = raw or last
            if last:
                return read(last)
        return None

    def anchor(self) -> Anchor | None:
        """What was removed, None while nothing was."""
        path = self.folder / ANCHOR
        return Anchor(**json.loads(path.read_text())) if path.is_file() else None

    def begin(self) -> tuple[int, str]:
        """Number of the first line there must be, and the sum before it."""
        anchor = self.anchor()
        return (anchor.number, anchor.previous) if anchor else (1, GENESIS)

    def checkpoints(self) -> list[Checkpoint]:
        """All checkpoints as they stand. One that cannot be read stands for a signature that nobody made."""
        path = self.folder / CHECKPOINTS
        return checkpoints_of(path.read_bytes()) if path.is_file() else []

    def state(self) -> dict[str, Any]:
        """What the writer noted last."""
        path = self.folder / STATE
        return dict(json.loads(path.read_text())) if path.is_file() else {}


class Writer(Chain):
    """The chain, for its one writer."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._lock = (folder / LOCK).open("w")
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as problem:
            self._lock.close()
            raise Busy(f"Another process writes the chain in {folder}.") from problem
        self.cut = self._cut_short()
        self._handle = -1
        self._size = 0

    def append(self, lines: list[bytes], first: int) -> None:
        """Append lines, of which the first has this number; they are on the disk when this returns."""
        if self._handle < 0 or self._size > SEGMENT_BYTES:
            self._open(first)
        data = b"".join(line + b"\n" for line in lines)
        try:
            write_all(self._handle, data)
            os.fdatasync(self._handle)
        except OSError:
            # What is not surely on the disk does not stand in the chain.
            os.ftruncate(self._handle, self._size)
            raise
        self._size += len(data)

    def add_checkpoint(self, made: Checkpoint) -> None:
        """Append a signed checkpoint."""
        append_line(self.folder / CHECKPOINTS, canonical(asdict(made)))

    def note(self, state: dict[str, Any]) -> None:
        """Note what is in the chain, for a quick start."""
        replace_file(self.folder / STATE, canonical(state))

    def close(self) -> None:
        """Give the chain up."""
        if self._handle >= 0:
            os.close(self._handle)
            self._handle = -1
        self._lock.close()

    def _open(self, first: int) -> None:
        if self._handle >= 0:
            os.close(self._handle)
        found = self.segments()
        path = found[-1] if found else None
        if path is None or path.stat().st_size > SEGMENT_BYTES:
            path = self.folder / f"segment-{first:012d}.jsonl"
        self._handle = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        self._size = os.fstat(self._handle).st_size
        sync_folder(self.folder)

    def _cut_short(self) -> int:
        """Take away the end of a line that a power failure cut short; its record comes again from the stream."""
        for path in self.segments()[-1:]:
            data = path.read_bytes()
            whole = data.rfind(b"\n") + 1
            if whole < len(data):
                os.truncate(path, whole)
                return len(data) - whole
        return 0


def first_of(segment: Path) -> int:
    """The number of a segment's first line."""
    return int(segment.stem.partition("-")[2])


def checkpoints_of(data: bytes) -> list[Checkpoint]:
    """The checkpoints in a file's bytes."""
    found = []
    for raw in data.splitlines():
        try:
            found.append(Checkpoint(**json.loads(raw)))
        except (ValueError, TypeError):
            found.append(Checkpoint(0, "", "", ""))
    return found


def remove_before(chain: Chain, anchor: Anchor) -> list[Path]:
    """Remove the segments that an anchor makes superfluous; the anchor stands before they go."""
    gone = [
        path
        for path, following in zip(chain.segments(), chain.segments()[1:], strict=False)
        if first_of(following) <= anchor.number
    ]
    replace_file(chain.folder / ANCHOR, canonical(asdict(anchor)))
    for path in gone:
        path.unlink()
    sync_folder(chain.folder)
    return gone
