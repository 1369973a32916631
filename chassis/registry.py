"""The registry: the search index behind every list of a service, fed by the relay, disposable, rebuilt from the records.

`work` owns the writer; `serve` reads. A writer sees its own write: `Registry.saw` remembers per person what was saved last, and
the person's next list waits until the index holds it, one second at most.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from chassis import context, log, metrics
from chassis.aggregate import Aggregate
from chassis.errors import InvalidInput, Unavailable
from chassis.identity_types import Principal
from chassis.repository import Repository
from chassis.search import Entry, Index, InvalidQuery, Page, Query, Reader, Schema, SearchError, Writer
from chassis.store import Record

OWN_WRITE = 1.0  # seconds that a list waits for the reader's own last write
REMEMBERED = 5000
_log = log.get(__name__)
MakeEntry = Callable[[Any], Entry | None]


def micros(moment: datetime | None) -> int | None:
    """A moment as the index keeps dates: microseconds since 1970 UTC."""
    return int(moment.timestamp() * 1_000_000) if moment else None


def from_micros(value: int | None) -> datetime | None:
    """The inverse of micros."""
    return datetime.fromtimestamp(value / 1_000_000, UTC) if value is not None else None


@contextlib.contextmanager
def asking() -> Iterator[None]:
    """Ask the index in the with-block, where its errors become those that cross the wire.

    Raises InvalidInput for a bad query, Unavailable while the index is being built.
    """
    try:
        yield
    except InvalidQuery as problem:
        raise InvalidInput("BAD_QUERY", problem.zh, problem.en) from problem
    except SearchError as problem:
        raise Unavailable(
            "INDEX_UNAVAILABLE", "检索库正在准备，请稍后再试。", "The index is being prepared."
        ) from problem


class Registry:
    """The index of one service.

    entries: repository name → function from aggregate to Entry (None: the aggregate stands in no list). Entry ids must be unique
    over the repositories.
    """

    def __init__(self, folder: Path, schema: Schema, entries: dict[str, MakeEntry]) -> None:
        self._index = Index(folder, schema)
        self._entries = entries
        self._writer: Writer | None = None
        self._repositories: dict[str, Repository[Any]] = {}
        self._last: OrderedDict[str, tuple[str, int]] = OrderedDict()
        self._lock = threading.Lock()
        self._committed = 0.0

    def open_writer(self, repositories: dict[str, Repository[Any]]) -> None:
        """Become the one writer, rebuilding first when the index is missing, damaged or of another schema."""
        self._repositories = repositories
        if self._index.ensure(
            lambda: self._all(repositories), lambda done: _log.info("index rebuilt", records=done)
        ):
            _log.info("index ready")
        self._writer = self._index.writer()
        self._committed = time.time()
        metrics.watch("tongban_index_entries", "Entries of the search index", self._index.count)
        metrics.watch(
            "tongban_index_age_seconds", "Seconds since the search index took in something",
            lambda: time.time() - self._committed,
        )  # fmt: skip

    @property
    def writing(self) -> bool:
        """Whether the index is there and takes in what is saved."""
        return self._writer is not None

    def rebuild(self, repositories: dict[str, Repository[Any]], progress: Callable[[int], None]) -> int:
        """Build the index anew from the records; returns how many entries it holds."""
        return self._index.rebuild(self._all(repositories), progress)

    def project(self, kind: str, records: list[Record]) -> None:
        """Take aggregates into the index; returns once readers can see them."""
        make = self._entries.get(kind)
        if make is None or self._writer is None:
            return
        load = self._repositories[kind].load
        aggregates = [load(record) for record in records]
        made = [(aggregate, make(aggregate)) for aggregate in aggregates]
        self._writer.put([entry for _, entry in made if entry is not None])
        # What stands in no list any more must not be found by its old entry.
        self._writer.delete({aggregate.id: aggregate.revision for aggregate, entry in made if entry is None})
        self._writer.commit()
        self._committed = time.time()

    def close(self) -> None:
        """Commit and give the writer up."""
        if self._writer is not None:
            self._writer.close()

    def saw(self, aggregate: Aggregate, entry_id: str = "") -> None:
        """Note that the current caller has just saved this aggregate."""
        principal = context.current().principal
        if principal is None:
            return
        with self._lock:
            self._last[principal.person] = (entry_id or aggregate.id, aggregate.revision)
            self._last.move_to_end(principal.person)
            while len(self._last) > REMEMBERED:
                self._last.popitem(last=False)

    def search(self, query: Query, principal: Principal) -> Page:
        """What the caller may see of the answer.

        Raises InvalidInput for a bad query, Unavailable while the index is being built.
        """
        with self._lock:
            own = self._last.pop(principal.person, None)
        with asking():
            if own is not None:
                self._index.wait_for(own[0], own[1], OWN_WRITE)
            return self._index.search(query, reader_of(principal))

    def suggestions(self, prefix: str, principal: Principal) -> list[str]:
        """Titles that the caller may see and that match what was typed so far."""
        with asking():
            return self._index.suggestions(prefix, reader_of(principal))

    def _all(self, repositories: dict[str, Repository[Any]]) -> Iterator[Entry]:
        for kind, make in self._entries.items():
            for aggregate in repositories[kind].scan():
                entry = make(aggregate)
                if entry is not None:
                    yield entry


def reader_of(principal: Principal) -> Reader:
    """The rights of a caller in the terms of the index."""
    return Reader(principal.tokens, principal.clearance)
