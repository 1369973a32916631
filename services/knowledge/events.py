"""What this service handles: concluded documents are filed, with their files and their whole course."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Any, Protocol

from tongban.documents.v1 import documents_pb2
from tongban.events.v1 import document_pb2 as pb

from chassis import clock
from chassis.consumer import Consumer, Event
from chassis.files import Files
from chassis.times import moment
from services.knowledge import contents, intake
from services.knowledge.commands import Shelf
from services.knowledge.extract import TEXT_CHARS, Extracted
from services.knowledge.model.description import ARCHIVE, NUMBER, TITLE
from services.knowledge.model.item import File, Item, Step, Version

CONCLUDED = "tongban.documents.v1.document.concluded"
FETCH_SECONDS = 20.0  # for one file; less than the broker waits for an acknowledgement


class Documents(Protocol):
    """What is asked of the document service (a chassis.client.Client)."""

    def ReadFile(self, request: documents_pb2.ReadFileRequest, seconds: float | None = None) -> Iterator[Any]:  # noqa: N802
        """The bytes of one file in pieces."""


class FileDiffers(RuntimeError):
    """The bytes handed out are not those that the event names."""


def consumers(shelf: Shelf, documents: Documents) -> list[Consumer]:
    """What `work` listens to."""

    def concluded(event: Event) -> None:
        file_document(shelf, documents, event)

    return [Consumer("filing", {CONCLUDED: (pb.DocumentConcluded, concluded)}, "办结公文归档")]


def file_document(shelf: Shelf, documents: Documents, event: Event) -> str:
    """File one concluded document; gives created, changed or unchanged.

    The files are stored first and the item last, so nothing half-filed is ever seen. Raises what keeps the
    event for later:
    Unavailable while the document service is away, FileDiffers when bytes and digest do not match.
    """
    told: pb.DocumentConcluded = event.message
    if not told.document or not told.readers:
        raise ValueError("a concluded document needs an id and readers")
    there = shelf.items.find(intake.item_id("documents", told.document))
    if there is not None and there.sequence >= told.sequence:
        return intake.UNCHANGED
    files = [_fetch(shelf.files, documents, told.document, file) for file in told.files]
    found = Extracted(told.text[:TEXT_CHARS], "plain")
    at = clock.now()
    item = Item(
        id=intake.item_id("documents", told.document),
        title=told.title[:TITLE] or "（无标题）",
        kind=ARCHIVE,
        source="documents",
        matter=told.document,
        created_at=at,
        updated_at=at,
        keeper=told.issuing_unit,
        issuing_unit=told.issuing_unit,
        document_number=told.document_number[:NUMBER],
        genre=told.genre,
        urgency=told.urgency,
        date=moment(told.issued_at) or moment(told.concluded_at),
        level=told.level,
        readers=tuple(told.readers),
        addressees=tuple(told.addressees),
        course=tuple(_step(entry) for entry in told.course),
        sequence=told.sequence,
        versions=[Version(1, at, "", "归档", contents.put_together(shelf.files, found, files))],
    )
    return intake.file_document(shelf, item, event.request())


def _fetch(files: Files, documents: Documents, document: str, named: pb.ArchivedFile) -> File:
    """One file of the document, in our own store, with the bytes that the event names."""
    if not contents.holds(files, named.digest):
        request = documents_pb2.ReadFileRequest(document=document, digest=named.digest)
        files.put(
            _checked((piece.data for piece in documents.ReadFile(request, seconds=FETCH_SECONDS)), named),
            own=True,
        )
    return contents.known_file(files, named.name, named.digest, named.size)


def _checked(pieces: Iterator[bytes], named: pb.ArchivedFile) -> Iterator[bytes]:
    """The pieces as they come; raises FileDiffers before the store takes the file for complete."""
    digest, size = hashlib.sha256(), 0
    for piece in pieces:
        digest.update(piece)
        size += len(piece)
        if size > named.size:
            break
        yield piece
    if digest.hexdigest() != named.digest or size != named.size:
        raise FileDiffers(
            f"{named.name}: {size} bytes {digest.hexdigest()}; named were {named.size} bytes {named.digest}"
        )


def _step(entry: pb.CourseEntry) -> Step:
    return Step(
        time=moment(entry.time),
        person=entry.person,
        on_behalf_of=entry.on_behalf_of,
        unit=entry.unit,
        action=entry.action,
        opinion=entry.opinion,
        outcome=entry.outcome,
    )
