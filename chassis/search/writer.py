"""Writing to an index: one writer, one committing thread, many puts to a commit."""

import contextlib
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from itertools import islice
from pathlib import Path
from typing import Self

from chassis.search.document import document, key
from chassis.search.errors import IndexBroken, InvalidEntry, SearchError
from chassis.search.folder import Folder
from chassis.search.generation import Generation, Operation
from chassis.search.schema import FOR_EVER, Entry, Schema

BATCH = 2_000
"""So many operations at most share a commit, so that commits stay short."""

QUEUE = 3 * BATCH
"""When so many operations wait, put and delete wait too."""

PAUSE = 0.03
"""Seconds between the starts of two commits: a trickle of puts then costs 33 commits a second at most."""


class Writer:
    """The one writer of an index; made by `Index.writer`, safe for many threads, closed by `with` or `close`.

    A put is visible to readers in every process within about 100 ms, and durable when `commit` returns:
    acknowledge an event after that. If the disk fails, the next call raises `IndexBroken`; close the writer
    then.
    """

    def __init__(self, folder: Folder, schema: Schema) -> None:
        self._folder = folder
        self._schema = schema
        self._changed = threading.Condition()
        self._queue: list[Operation] = []
        self._accepted = 0
        self._committed = 0
        self._failure: BaseException | None = None
        self._closing = False
        self._applying = threading.Lock()
        self._rebuilding = threading.Lock()
        self._meanwhile: list[Operation] | None = None
        with contextlib.ExitStack() as held:
            held.enter_context(folder.locked())
            generation = folder.current()
            folder.require(generation, schema.digest)
            folder.discard_others()
            self._generation = Generation(generation, schema, new=False)
            self._lock = held.pop_all()
        self._thread = threading.Thread(target=self._run, name="search-commit", daemon=True)
        self._thread.start()

    def put(self, entries: Iterable[Entry]) -> None:
        """Add entries or replace those with the same id; a revision lower than the one held changes nothing.

        All entries are checked first: `InvalidEntry` means that none was taken. Returns before the commit.
        """
        self._accept(
            [Operation(entry.id, entry.revision, document(self._schema, entry)) for entry in entries]
        )

    def delete(self, ids: Iterable[str] | Mapping[str, int]) -> None:
        """Delete entries.

        Given id → revision, a put of that revision or a lower one has no effect any more, even one that
        comes later (events may be shuffled). Given ids only, the revision is the one held at that moment;
        an unknown id is then left alone.
        """
        pairs = ids.items() if isinstance(ids, Mapping) else [(entry_id, None) for entry_id in ids]
        for entry_id, revision in pairs:
            key(entry_id)
            if revision is not None and (not isinstance(revision, int) or not 0 <= revision <= FOR_EVER):
                raise InvalidEntry(f"not a revision: {revision!r:.100}")
        self._accept([Operation(entry_id, revision, None) for entry_id, revision in pairs])

    def commit(self, timeout: float | None = None) -> bool:
        """Wait until everything put before this call is durable and visible; False if the time ran out."""
        with self._changed:
            goal = self._accepted
            done = self._changed.wait_for(
                lambda: self._committed >= goal or self._failure is not None, timeout
            )
            if self._committed < goal:
                self._raise_failure()
            return done

    def rebuild(self, source: Iterable[Entry], progress: Callable[[int], None] = lambda _done: None) -> int:
        """Build the index anew from `source` beside the current one, then swap; give the number of entries.

        Puts and deletes go on meanwhile and are in the new index as well. `progress` is called with the
        number done so far. If `source` raises, the current index stays.
        """
        with self._rebuilding:
            if self._closing:
                raise SearchError("the writer is closed")
            # All that is applied from here on is remembered, in memory, because the source may have been
            # read past it.
            with self._applying:
                self._meanwhile = []
            try:
                path, generation, done = _build(self._folder, self._schema, source, progress)
                with self._applying:
                    generation.apply(self._meanwhile)
                    # Merges in the former index have to end before its files go.
                    self._generation.close()
                    self._folder.publish(path)
                    self._generation = generation
            finally:
                with self._applying:
                    self._meanwhile = None
        return done

    def close(self) -> None:
        """Commit what is waiting and let another writer have the index."""
        with self._changed:
            if self._closing:
                return
            self._closing = True
            self._changed.notify_all()
        self._thread.join()
        with self._rebuilding, self._lock:
            self._generation.close()
        with self._changed:
            self._raise_failure()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _accept(self, operations: list[Operation]) -> None:
        with self._changed:
            self._changed.wait_for(
                lambda: len(self._queue) < QUEUE or self._failure is not None or self._closing
            )
            self._raise_failure()
            if self._closing:
                raise SearchError("the writer is closed")
            self._queue += operations
            self._accepted += len(operations)
            self._changed.notify_all()

    def _raise_failure(self) -> None:
        if self._failure is not None:
            raise IndexBroken(f"writing has failed: {self._failure}") from self._failure

    def _run(self) -> None:
        """Commit whatever has gathered, over and over; a failure is kept for the callers to meet."""
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._queue or self._closing)
                started = time.monotonic()
                batch, self._queue = self._queue[:BATCH], self._queue[BATCH:]
                if not batch:
                    return
            try:
                with self._applying:
                    self._generation.apply(batch)
                    if self._meanwhile is not None:
                        self._meanwhile += batch
            except BaseException as error:  # noqa: BLE001 - whatever it is, `_raise_failure` raises it again
                with self._changed:
                    self._failure = error
                    self._changed.notify_all()
                return
            with self._changed:
                self._committed += len(batch)
                self._changed.notify_all()
                self._changed.wait_for(lambda: self._closing, max(0.0, PAUSE - (time.monotonic() - started)))


def rebuild(folder: Folder, schema: Schema, source: Iterable[Entry], progress: Callable[[int], None]) -> int:
    """Build an index where no usable one need be, with no writer at work (`WriterBusy` otherwise)."""
    with folder.locked():
        path, generation, done = _build(folder, schema, source, progress)
        generation.close()
        folder.publish(path)
    return done


def _build(
    folder: Folder, schema: Schema, source: Iterable[Entry], progress: Callable[[int], None]
) -> tuple[Path, Generation, int]:
    """Fill a new generation from `source`; the caller publishes it."""
    path = folder.begin(schema.digest)
    generation = Generation(path, schema, new=True)
    entries = iter(source)
    done = 0
    while batch := list(islice(entries, BATCH)):
        generation.apply([Operation(entry.id, entry.revision, document(schema, entry)) for entry in batch])
        done += len(batch)
        progress(done)
    return path, generation, done
