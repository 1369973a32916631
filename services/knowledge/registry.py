"""What the search index holds of an item, and how a search is asked and told."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from chassis.files import Files
from chassis.registry import Registry, micros
from chassis.search import Entry, Field, Query, Schema
from services.knowledge.contents import text_of
from services.knowledge.extract import plain
from services.knowledge.metadata import china_year
from services.knowledge.model.item import Item

ITEMS = "items"
SCHEMA = Schema(
    (
        Field("title", "text", boost=4.0),
        Field("number", "text", boost=3.0),
        Field("body", "text"),
        Field("names", "text"),  # of files and categories, and the issuer's
        Field("kind", "keyword"),
        Field("year", "keyword"),
        Field("issuer", "keyword"),
        Field("category", "keyword"),
        Field("keeper", "keyword"),
        Field("state", "keyword"),
        Field("date", "date"),
        Field("row", "stored"),
    ),
    version=1,
)
FACETS = ("kind", "year", "issuer", "category")


def make(files: Files) -> Callable[[Item], Entry]:
    """The function from item to index entry. Longer texts are read from the files."""

    def entry(item: Item) -> Entry:
        content = item.content
        return Entry(
            id=item.id,
            revision=item.revision,
            readers=list(item.audience()),
            level=item.level,
            values={
                "title": item.title,
                "number": item.document_number,
                "body": plain(text_of(files, content), content.format),
                "names": [item.issuer, *item.categories, *(one.name for one in content.files)],
                "kind": item.kind,
                "year": str(china_year(item.date)) if item.date else "",
                "issuer": issuer_value(item),
                "category": list(item.categories),
                "keeper": item.keeper,
                "state": item.state,
                "date": micros(item.date or item.created_at),
                "row": row(item),
            },
        )

    return entry


def issuer_value(item: Item) -> str:
    """The issuer as a facet value: a unit of the directory by its id, anybody else as =name."""
    if item.issuing_unit:
        return item.issuing_unit
    return f"={item.issuer}" if item.issuer else ""


def row(item: Item) -> dict[str, Any]:
    """What a list shows of an item."""
    return {
        "title": item.title,
        "kind": item.kind,
        "issuing_unit": item.issuing_unit,
        "issuer": item.issuer,
        "document_number": item.document_number,
        "genre": item.genre,
        "urgency": item.urgency,
        "level": item.level,
        "date": micros(item.date),
        "categories": list(item.categories),
        "keeper": item.keeper,
        "state": item.state,
        "source": item.source,
        "excerpt": item.content.excerpt,
        "updated_at": micros(item.updated_at),
        "created_by": item.created_by,
        "version": item.version,
        "files": len(item.content.files),
    }


def open_registry(folder: Path, files: Files) -> Registry:
    """The index of this service."""
    return Registry(folder / "index", SCHEMA, {ITEMS: make(files)})


def question(
    words: str,
    *,
    kind: str = "",
    year: str = "",
    issuer: str = "",
    category: str = "",
    keeper: str = "",
    withdrawn: bool = False,
    order: str = "",
    size: int = 20,
    after: str = "",
    facets: bool = True,
) -> Query:
    """A search in the terms of the index. Without words the newest come first, with words the best."""
    given = {"kind": kind, "year": year, "issuer": issuer, "category": category, "keeper": keeper}
    must = {name: [value] for name, value in given.items() if value}
    must["state"] = ["withdrawn" if withdrawn else "current"]
    ranked = bool(words.strip()) and order not in ("date", "date_up")
    return Query(
        words=words,
        must=must,
        order="relevance" if ranked else "date_up" if order == "date_up" else "date",
        size=min(max(size, 1), 100),
        after=after,
        facets=FACETS if facets else (),
    )
