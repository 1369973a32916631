"""Full-text search and lists: one tantivy index per service, with the reader's rights inside every query.

SCHEMA = Schema((
    Field("title", "text", boost=3), Field("body", "text"),
    Field("unit", "keyword"), Field("date", "date"), Field("row", "stored"),
))
index = Index("/var/lib/tongban/documents/index", SCHEMA)

# The process that works on events:
index.ensure(repository.scan_entries, progress=print)
with index.writer() as writer:
    values = {"title": "关于…的通知", "unit": "finance", "date": 1_700_000_000_000_000}
    writer.put([Entry("d1", 3, ["all", "u:finance"], level=1, values=values)])
    writer.commit()  # then acknowledge the event

# Any process:
reader = Reader(frozenset({"all", "p:zhang"}), clearance=1)
page = index.search(Query("环境 12号", must={"unit": ["finance"]}, facets=["unit"]), reader)
"""

from chassis.search.errors import (
    IndexBroken,
    InvalidEntry,
    InvalidQuery,
    RebuildNeeded,
    SearchError,
    WriterBusy,
)
from chassis.search.index import Index
from chassis.search.page import Hit, Page
from chassis.search.query import Query
from chassis.search.rights import Reader
from chassis.search.schema import Entry, Field, Schema
from chassis.search.snippet import Snippet
from chassis.search.writer import Writer

__all__ = [
    "Entry",
    "Field",
    "Hit",
    "Index",
    "IndexBroken",
    "InvalidEntry",
    "InvalidQuery",
    "Page",
    "Query",
    "Reader",
    "RebuildNeeded",
    "Schema",
    "SearchError",
    "Snippet",
    "Writer",
    "WriterBusy",
]
