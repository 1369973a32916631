"""What the service takes in by itself: concluded documents, files of a folder. Twice is once."""

from __future__ import annotations

import uuid
from collections.abc import Callable

from chassis import clock
from chassis.aggregate import Request
from chassis.repository import anyone
from services.knowledge import contents, extraction, metadata
from services.knowledge.commands import Shelf
from services.knowledge.model.description import Description
from services.knowledge.model.item import Item, Version

_NAMESPACE = uuid.UUID("0b6d8f6e-52a5-5c0e-9f0c-8f6d6a1f4c2b")
CREATED, CHANGED, UNCHANGED = "created", "changed", "unchanged"


def item_id(source: str, matter: str) -> str:
    """The id of what another source knows as `matter`: the same matter always gives the same item."""
    return source[0] + uuid.uuid5(_NAMESPACE, f"{source}|{matter}").hex


class _Known(Exception):
    """What is to be taken in is there already."""


def file_document(shelf: Shelf, item: Item, request: Request) -> str:
    """Take in a concluded document, or a later state of one; an earlier or equal state changes nothing."""
    return _take_in(
        shelf, item, request, lambda there: there.sequence >= item.sequence, lambda there: there.refile(item)
    )


def import_file(
    shelf: Shelf, said: Description, path: str, data: bytes, *, stamp: str, keeper: str = "", issuer: str = ""
) -> tuple[str, str]:
    """Take in one file of a folder; gives the item's id and created, changed or unchanged.

    Title, date, number and, when none is given, the issuer are told from the file's name and text. Raises
    InvalidInput for an unreadable file.
    """
    found = extraction.text_of(path, data)
    told = metadata.tell(path, found.text, found.format)
    file = contents.store_file(shelf.files, path, [data])
    at = clock.now()
    item = Item(
        id=item_id("import", path),
        title=told.title,
        kind=said.kind,
        source="import",
        matter=path,
        created_at=at,
        updated_at=at,
        keeper=keeper,
        issuer=issuer or told.issuer,
        document_number=told.document_number,
        date=told.date,
        level=said.level,
        readers=said.readers,
        categories=said.categories,
        stamp=stamp,
        versions=[Version(1, at, "", "", contents.put_together(shelf.files, found, [file], data))],
    )
    # A new key each time: the stamp tells repetitions, and a file may well go back to what it once was.
    request = Request(f"import:{uuid.uuid4().hex}")
    return item.id, _take_in(
        shelf, item, request, lambda there: there.stamp == stamp, lambda there: there.reimport(item)
    )


def imported(shelf: Shelf, path: str, stamp: str) -> str:
    """The id of the item that this very import has made before, or ''."""
    there = shelf.items.find(item_id("import", path))
    return there.id if there is not None and there.stamp == stamp else ""


def _take_in(
    shelf: Shelf, item: Item, request: Request, known: Callable[[Item], bool], renew: Callable[[Item], None]
) -> str:
    if shelf.items.add_if_missing(item, request):
        return CREATED
    # Maybe another worker was faster with the same matter: which of the two is newer is decided here.
    if known(shelf.items.get(item.id)):
        return UNCHANGED

    def step(fresh: Item) -> None:
        if known(fresh):
            raise _Known
        renew(fresh)

    try:
        shelf.items.change(item.id, request, step, anyone)
    except _Known:
        return UNCHANGED
    return CHANGED
