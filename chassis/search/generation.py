"""One engine index being written: what each id's revision decides."""

from pathlib import Path
from typing import NamedTuple

import tantivy

from chassis.search.document import register, tombstone
from chassis.search.folder import engine_errors
from chassis.search.schema import Schema

_HEAP = 64_000_000


class Operation(NamedTuple):
    """Put `content`, or delete when it is None; a deletion without a revision happens at the one held."""

    id: str
    revision: int | None
    content: tantivy.Document | None


class Held(NamedTuple):
    """What the index knows of an id: its revision, and whether that was its deletion."""

    revision: int
    gone: bool

    def gives_way_to(self, revision: int) -> bool:
        """Tell whether a put of this revision counts; an equal one does, to index a record again."""
        return revision > self.revision or (revision == self.revision and not self.gone)


class Generation:
    """One engine index being written; used by one thread at a time."""

    @engine_errors()
    def __init__(self, path: Path, schema: Schema, *, new: bool) -> None:
        self._index = register(
            tantivy.Index(schema.build(), path=str(path)) if new else tantivy.Index.open(str(path))
        )
        self._index.config_reader("manual")
        self._writer = self._index.writer(_HEAP, 1)

    @engine_errors()
    def apply(self, operations: list[Operation]) -> None:
        """Bring each id to its highest revision, whatever order the operations come in, and commit."""
        searcher = self._index.searcher()
        held: dict[str, Held | None] = {}
        changes: dict[str, tantivy.Document] = {}
        for operation in operations:
            entry_id = operation.id
            if entry_id not in held:
                held[entry_id] = self._held(searcher, entry_id)
            now = held[entry_id]
            if operation.content is None:
                revision = operation.revision if operation.revision is not None else now and now.revision
                if revision is not None and (now is None or revision >= now.revision):
                    held[entry_id], changes[entry_id] = (
                        Held(revision, gone=True),
                        tombstone(entry_id, revision),
                    )
            elif operation.revision is not None and (now is None or now.gives_way_to(operation.revision)):
                held[entry_id], changes[entry_id] = Held(operation.revision, gone=False), operation.content
        if changes:
            for entry_id, content in changes.items():
                self._writer.delete_documents_by_term("id", entry_id)
                self._writer.add_document(content)
            self._writer.commit()
            self._index.reload()

    def _held(self, searcher: tantivy.Searcher, entry_id: str) -> Held | None:
        query = tantivy.Query.term_query(self._index.schema, "id", entry_id)
        hits = searcher.search(query, 1, count=False, order_by_field="revision").hits
        if not hits:
            return None
        revision, address = hits[0]
        return Held(revision, gone=searcher.fast_field_values("_gone", [address])[0] is not None)

    @engine_errors()
    def close(self) -> None:
        """Let merges under way end."""
        self._writer.wait_merging_threads()
