"""Reading an index: search, suggestions, and waiting for a write; the way to the writer and to a rebuild."""

import contextlib
import os
import threading
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import NamedTuple

import tantivy

from chassis.search import query as asking
from chassis.search import text, writer
from chassis.search.document import key, register, unpack
from chassis.search.errors import IndexBroken, InvalidEntry, InvalidQuery, RebuildNeeded
from chassis.search.folder import Folder, engine_errors
from chassis.search.page import Page, Snapshot, cut
from chassis.search.query import Query
from chassis.search.rights import Reader, rights
from chassis.search.schema import Entry, Schema

_ATTEMPTS = 5
_POOL = 100


class _Opened(NamedTuple):
    generation: Path
    stamp: tuple[int, ...]
    engine: tantivy.Index


class Index:
    """A search index in a folder, safe for many threads. Make one in each process, after forking.

    Making one does not touch the disk, so that a process may start before the index is there: until then
    each call raises `RebuildNeeded`, as it does when the schema has changed. Damage raises `IndexBroken`.
    What was committed, by whichever process, before a call began is seen by that call.
    """

    def __init__(self, path: str | os.PathLike[str], schema: Schema) -> None:
        self.schema = schema
        self._digest = schema.digest
        self._folder = Folder(path)
        self._refreshing = threading.Lock()
        self._opened: _Opened | None = None

    def search(self, query: Query, reader: Reader) -> Page:
        """Answer a question as far as the reader's rights go; hits, total, facets and snippets alike."""
        asking.check(self.schema, query)
        return cut(self.schema, self._snapshot(), query, reader, self._folder.cursor_key)

    def suggestions(self, prefix: str, reader: Reader, size: int = 8) -> list[str]:
        """Give titles the reader may see that contain what was typed so far, the ones it begins first.

        They come from the newest entries in which it occurs, a hundred and some.
        """
        if not 1 <= size <= asking.PAGE:
            raise InvalidQuery(f"size must be from 1 to {asking.PAGE}")
        titles = self.schema.of_kind("text")[:1]
        if not prefix.strip() or not titles:
            return []
        phrases = asking.phrases(prefix)
        searcher, engine = self._snapshot()
        parts = [
            asking.phrase_query(engine, {titles[0].name: 1.0}, phrase, prefix=phrase is phrases[-1])
            for phrase in phrases
        ]
        both = asking.all_of(rights(engine, reader), *parts)
        order = self.schema.of_kind("date")[0].name
        with engine_errors():
            hits = searcher.search(both, size + _POOL, count=False, order_by_field=order).hits
            found = dict.fromkeys(unpack(searcher.doc(address)).title for _, address in hits)
        start = text.fold(prefix.strip()).text
        return sorted(found, key=lambda title: not text.fold(title).text.startswith(start))[:size]

    def wait_for(self, entry_id: str, revision: int, timeout: float) -> bool:
        """Wait until the index holds this revision of an entry or a later one; False if time runs out.

        A deletion is a revision, too. So a writer sees its own write: save the record, wait here, show the
        list.
        """
        try:
            key(entry_id)
        except InvalidEntry:
            return False
        deadline = time.monotonic() + timeout
        while True:
            searcher, engine = self._snapshot()
            with engine_errors():
                hits = searcher.search(
                    tantivy.Query.term_query(engine, "id", entry_id),
                    1,
                    count=False,
                    order_by_field="revision",
                ).hits
            if hits and hits[0][0] >= revision:
                return True
            left = deadline - time.monotonic()
            if left <= 0:
                return False
            time.sleep(min(0.01, left))

    def count(self) -> int:
        """How many entries there are, whoever may see them; for those who run the platform."""
        searcher, _ = self._snapshot()
        return int(searcher.num_docs)

    def check(self) -> None:
        """Compare all checksums; raise `RebuildNeeded` or `IndexBroken` if a rebuild is due."""
        generation = self._folder.current()
        self._folder.require(generation, self._digest)
        self._snapshot()
        self._folder.verify(generation)

    def writer(self) -> writer.Writer:
        """Open the writer. Raises `WriterBusy` while there is another, in any process."""
        return writer.Writer(self._folder, self.schema)

    def rebuild(self, source: Iterable[Entry], progress: Callable[[int], None] = lambda _done: None) -> int:
        """Build the index anew from `source` and swap; give the number of entries.

        Readers go on with the old one until then. `progress` is called with the number done so far.
        With a writer open, call `Writer.rebuild` instead.
        """
        return writer.rebuild(self._folder, self.schema, source, progress)

    def ensure(
        self, source: Callable[[], Iterable[Entry]], progress: Callable[[int], None] = lambda _done: None
    ) -> bool:
        """Rebuild if `check` says so, at the start of the process that writes; tell whether that was done."""
        try:
            self.check()
        except (RebuildNeeded, IndexBroken):
            self.rebuild(source(), progress)
            return True
        return False

    def _snapshot(self) -> Snapshot:
        with self._refreshing:
            index = self._refreshed()
            with engine_errors():
                return Snapshot(index.searcher(), index.schema)

    def _refreshed(self) -> tantivy.Index:
        """Bring what is open up to the last commit.

        It costs a few system calls if there was none, so every search does it.
        """
        for _ in range(_ATTEMPTS - 1):
            # A generation may be replaced and removed while it is being opened; real damage stays.
            with contextlib.suppress(IndexBroken):
                return self._look()
        return self._look()

    def _look(self) -> tantivy.Index:
        generation = self._folder.current()
        # The stamp is taken before reading, so that a commit in between is read once more, not missed.
        stamp = self._folder.stamp(generation)
        opened = self._opened
        if opened is None or opened.generation != generation:
            self._folder.require(generation, self._digest)
            with engine_errors():
                engine = register(tantivy.Index.open(str(generation)))
                engine.config_reader("manual")
                engine.reload()
        elif opened.stamp != stamp:
            engine = opened.engine
            with engine_errors():
                engine.reload()
        else:
            return opened.engine
        self._opened = _Opened(generation, stamp, engine)
        return engine
