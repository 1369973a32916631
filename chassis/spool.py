"""Records on their way to the audit: on this machine's disk before the call is answered, in the stream soon after.

A process appends to a file of its own, which it holds locked. What is written there survives the process (kill -9); what is synced,
within SYNC seconds, survives the machine. A thread ships what has gathered in one message to the stream and then takes it out of
the file. The files of a process that is gone are shipped by whichever process of the service looks next.

A file is a sequence of frames: length and CRC-32 of the record, then the record. A frame cut short is the end of the file.
"""

from __future__ import annotations

import contextlib
import fcntl
import itertools
import os
import secrets
import struct
import threading
import time
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

from chassis import log

SYNC = 0.05  # seconds that a record may wait for the disk
GATHER = 0.02  # seconds in which records gather for one message
LOOK = 15.0  # seconds between two looks for what other processes left
PAUSE, LONGEST = 0.25, 5.0  # seconds between two tries while the stream does not answer
FULL = 4 << 20  # bytes after which a new file is begun
BATCH, BATCH_BYTES = 500, 512 << 10
DAMAGED = ".damaged"
_HEAD = struct.Struct(">II")
_log = log.get(__name__)

Ship = Callable[[list[bytes]], None]


def frame(record: bytes) -> bytes:
    """A record as it stands in the file."""
    return _HEAD.pack(len(record), zlib.crc32(record)) + record


def frames(data: bytes) -> Iterator[bytes]:
    """The records of a file's bytes, up to the first that is not whole."""
    at = 0
    while at + _HEAD.size <= len(data):
        length, check = _HEAD.unpack_from(data, at)
        record = data[at + _HEAD.size : at + _HEAD.size + length]
        if not length or len(record) < length or zlib.crc32(record) != check:
            return
        yield record
        at += _HEAD.size + length


class _File:
    """One file of the spool, held locked."""

    def __init__(self, path: Path, handle: int) -> None:
        self.path = path
        self.handle = handle
        self.size = os.fstat(handle).st_size
        self.shipped = 0  # bytes at its beginning which the stream has

    def read(self) -> bytes:
        """What is to be shipped next."""
        return os.pread(self.handle, min(self.size - self.shipped, BATCH_BYTES), self.shipped)

    def remove(self) -> None:
        """Take it away; its lock goes with it."""
        self.path.unlink(missing_ok=True)
        os.close(self.handle)


class Spool:
    """The spool of one process. `ship` hands records over and raises when the stream did not take them.

    source: the name under which this process numbers its records.
    """

    def __init__(self, folder: Path, ship: Ship) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.source = f"{time.time_ns() // 1_000_000:011x}{secrets.token_hex(4)}"
        self._folder = folder
        self._ship = ship
        self._numbers = itertools.count(1)
        self._files = itertools.count(1)
        self._lock = threading.Lock()
        self._new = threading.Event()
        self._stop = threading.Event()
        self._current = self._begin()
        self._older: list[_File] = []
        self._looked = 0.0
        self._dirty = threading.Event()
        self._threads = [
            threading.Thread(target=self._run, name="audit-spool", daemon=True),
            threading.Thread(target=self._keep_synced, name="audit-sync", daemon=True),
        ]
        for thread in self._threads:
            thread.start()
        self._new.set()  # for what earlier processes left

    def next_id(self) -> str:
        """The id of the next record."""
        return f"{self.source}.{next(self._numbers)}"

    def append(self, record: bytes) -> None:
        """Keep a record; once this returns it outlives the process.

        Raises OSError when the disk does not take it.
        """
        data = frame(record)
        with self._lock:
            current = self._current
            written = os.write(current.handle, data)
            if written < len(data):
                # The disk is full. What was not whole must not stand before what comes next.
                os.ftruncate(current.handle, current.size)
                raise OSError("the record was not written as a whole")
            current.size += written
            if current.size > FULL:
                self._older.append(current)
                self._current = self._begin()
        # Asked first, for setting an event takes a lock and most records find it set.
        if not self._new.is_set():
            self._new.set()
        if not self._dirty.is_set():
            self._dirty.set()

    def waiting(self) -> int:
        """Bytes that the stream does not have yet."""
        with self._lock:
            return sum(one.size - one.shipped for one in (*self._older, self._current))

    def flushed(self, seconds: float) -> bool:
        """Wait until all that was appended is in the stream; False when that takes longer."""
        end = time.monotonic() + seconds
        while self.waiting():
            if time.monotonic() > end:
                return False
            self._new.set()
            time.sleep(0.005)
        return True

    def close(self) -> None:
        """Ship what can be shipped at once and give the files up; what is left, the next process ships."""
        self._stop.set()
        self._new.set()
        self._dirty.set()
        for thread in self._threads:
            thread.join(5)
        with self._lock:
            for one in (*self._older, self._current):
                if one.size == one.shipped:
                    one.remove()
                else:
                    os.close(one.handle)
            self._older = []

    def _begin(self) -> _File:
        path = self._folder / f"{self.source}.{next(self._files):06d}"
        handle = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_EXCL, 0o600)
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return _File(path, handle)

    def _run(self) -> None:
        pause = 0.0
        while not self._stop.is_set():
            self._new.wait(pause or LOOK)
            self._new.clear()
            self._stop.wait(pause or GATHER)
            try:
                self._adopt()
                self._ship_all()
                pause = 0.0
            except Exception as problem:  # noqa: BLE001 - the stream or the disk; what is kept stays kept, and is tried again
                if not pause:
                    _log.warning(
                        "audit waits", problem=str(problem) or type(problem).__name__, bytes=self.waiting()
                    )
                pause = min(LONGEST, pause * 2 or PAUSE)
                self._new.set()

    def _keep_synced(self) -> None:
        """What the stream, which syncs by itself, does not have within SYNC seconds is brought to the disk here."""
        while not self._stop.is_set():
            self._dirty.wait()
            self._dirty.clear()
            self._stop.wait(SYNC)
            try:
                for one in (*self._older, self._current):
                    if one.size > one.shipped:
                        os.fdatasync(one.handle)
            except OSError as problem:
                # The file may have gone meanwhile because it was shipped; anything else is tried again.
                if self.waiting():
                    _log.error("audit not synced", problem=str(problem))
                    self._dirty.set()

    def _adopt(self) -> None:
        """Take over the files of processes that are gone."""
        if time.monotonic() - self._looked < LOOK and self._looked:
            return
        self._looked = time.monotonic()
        own = {one.path for one in (*self._older, self._current)}
        for path in sorted(self._folder.iterdir()):
            if path in own or path.suffix == DAMAGED:
                continue
            with contextlib.suppress(FileNotFoundError):
                # It is read and taken away, never written: it may be of a command which an operator runs under another account.
                handle = os.open(path, os.O_RDONLY)
                try:
                    fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError:
                    os.close(handle)
                    continue
                found = _File(path, handle)
                if path.exists():
                    if found.size:
                        _log.info("audit takes over", file=path.name, bytes=found.size)
                    self._older.append(found)
                else:
                    os.close(handle)

    def _ship_all(self) -> None:
        for one in list(self._older):
            while self._ship_part(one):
                pass
            if one.shipped < one.size:
                # The end that a power failure cut short; its call was not answered. It is kept, for people to look at.
                _log.error("audit damaged", file=one.path.name, bytes=one.size - one.shipped)
                one.path.rename(f"{one.path}{DAMAGED}")
            one.remove()
            self._older.remove(one)
        while self._ship_part(self._current):
            pass
        with self._lock:
            current = self._current
            if current.size and current.size == current.shipped:
                os.ftruncate(current.handle, 0)
                current.size = current.shipped = 0

    def _ship_part(self, one: _File) -> bool:
        """Ship the next records of a file; False when there is none."""
        records = list(itertools.islice(frames(one.read()), BATCH))
        if not records:
            return False
        self._ship(records)
        one.shipped += sum(_HEAD.size + len(record) for record in records)
        return True
