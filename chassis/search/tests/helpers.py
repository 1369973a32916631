"""What the tests of search share: a schema, entries of it, the whole state of an index."""

from chassis.search import Entry, Field, Index, Query, Reader, Schema

SCHEMA = Schema(
    (
        Field("title", "text", boost=3),
        Field("body", "text"),
        Field("unit", "keyword"),
        Field("date", "date"),
        Field("due", "date"),
        Field("pages", "number"),
        Field("row", "stored"),
    )
)
ALL = Reader(frozenset({"all"}), 9)


def entry(
    entry_id: str,
    title: str = "",
    body: str = "",
    *,
    revision: int = 1,
    date: int = 0,
    level: int = 0,
    readers: tuple[str, ...] = ("all",),
    **values: object,
) -> Entry:
    """Make an entry of `SCHEMA`."""
    return Entry(entry_id, revision, readers, level, {"title": title, "body": body, "date": date, **values})


def every(index: Index) -> dict[str, tuple[int, object]]:
    """Give the whole state of an index as its maintenance reader sees it: id → (revision, stored)."""
    state: dict[str, tuple[int, object]] = {}
    cursor = ""
    while True:
        page = index.search(Query(size=200, after=cursor), Reader.everything())
        state |= {hit.id: (hit.revision, dict(hit.stored)) for hit in page.hits}
        if not (cursor := page.next):
            assert len(state) == page.total
            return state
