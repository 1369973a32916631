"""Domain events and values as protobuf messages."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp
from tongban.events.v1 import document_pb2 as document_events
from tongban.events.v1 import obligation_pb2 as obligation_events

from chassis.times import stamp
from services.documents.model import course, incoming, outgoing, receiving
from services.documents.model.elements import FileRef
from services.documents.model.incoming import Delivery
from services.documents.model.outgoing import Document


def obligation_id(matter: str, item: str) -> str:
    """The id of the obligation that a work item is."""
    return f"documents|{matter}|{item}"


def document_to_wire(document: Document, event: Any) -> Message:
    """The message for a domain event of an outgoing document."""
    match event:
        case outgoing.SignedOff():
            return document_events.DocumentSignedOff(document=document.id)
        case outgoing.Dispatched(units, dispatch):
            return document_events.DocumentDispatched(document=document.id, units=units, dispatch=dispatch)
        case outgoing.Concluded(entries):
            return _concluded(document, document.id, document.readers(), entries, document.revision + 1)
    elements = document.elements
    link = f"/documents/outgoing/{document.id}"
    return _obligation(document, event, elements.title, link, elements.urgency, elements.level)


def delivery_to_wire(delivery: Delivery, event: Any, document_of: Callable[[str], Document]) -> Message:
    """The message for a domain event of a delivery."""
    match event:
        case receiving.Progressed(state):
            return document_events.DeliveryProgressed(
                delivery=delivery.id, document=delivery.document, unit=delivery.unit, state=state,
                sequence=delivery.revision + 1,
            )  # fmt: skip
        case incoming.Filed():
            document = document_of(delivery.document)
            own = _concluded(
                document, delivery.id, delivery.readers(), delivery.course, delivery.revision + 1
            )
            own.files.extend(_files(delivery.answer_files))
            own.concluded_at.CopyFrom(stamp(delivery.concluded_at) or Timestamp())
            return own
    # The issuing office meets a delivery on its own document's page.
    mine = getattr(event, "item", None)
    issuers = isinstance(mine, course.WorkItem) and mine.kind == "deal_with_return"
    link = f"/documents/outgoing/{delivery.document}" if issuers else f"/documents/incoming/{delivery.id}"
    return _obligation(delivery, event, delivery.title, link, delivery.urgency, delivery.level)


def _obligation(
    matter: course.Matter, event: Any, title: str, link: str, urgency: str, level: int
) -> Message:
    match event:
        case course.Opened(item):
            return obligation_events.ObligationOpened(
                obligation=obligation_id(matter.id, item.id), sequence=1, holder=item.holder,
                kind=f"documents.{item.kind}", action=item.action, title=title, link=link, sender=item.sender,
                sender_unit=item.sender_unit, urgency=urgency, level=level, opened_at=stamp(item.opened_at),
                due_at=stamp(item.due_at), matter=matter.id,
            )  # fmt: skip
        case course.Reassigned(item, sequence, holder, by, at):
            return obligation_events.ObligationReassigned(
                obligation=obligation_id(matter.id, item.id),
                sequence=sequence,
                holder=holder,
                by=by,
                at=stamp(at),
            )
        case course.Closed(item, sequence, outcome, by, at):
            return obligation_events.ObligationClosed(
                obligation=obligation_id(matter.id, item),
                sequence=sequence,
                outcome=outcome,
                by=by,
                at=stamp(at),
            )
        case course.Urged(item, urging, by, message, at):
            return obligation_events.ObligationUrged(
                obligation=obligation_id(matter.id, item), urging=urging, by=by, message=message, at=stamp(at)
            )
    raise TypeError(f"no message for {type(event).__name__}")


def entry_to_wire(entry: course.Entry) -> document_events.CourseEntry:
    """A line of the course."""
    return document_events.CourseEntry(
        time=stamp(entry.time), person=entry.person, on_behalf_of=entry.on_behalf_of, unit=entry.unit,
        action=entry.action, opinion=entry.opinion, outcome=entry.outcome,
    )  # fmt: skip


def _files(files: list[FileRef]) -> list[document_events.ArchivedFile]:
    return [
        document_events.ArchivedFile(
            name=file.name, media_type=file.media_type, digest=file.digest, size=file.size
        )
        for file in files
    ]


def _concluded(
    document: Document, matter: str, readers: set[str], entries: list[course.Entry], sequence: int
) -> document_events.DocumentConcluded:
    elements = document.elements
    printed = [document.printed] if document.printed else []
    return document_events.DocumentConcluded(
        document=matter, sequence=sequence, document_number=document.number, title=elements.title, genre=elements.genre,
        issuing_unit=document.issuing_unit, text=elements.body, level=elements.level, urgency=elements.urgency,
        issued_at=stamp(document.signed_at), concluded_at=stamp(document.concluded_at), readers=sorted(readers),
        files=_files([*printed, *document.files]), course=[entry_to_wire(entry) for entry in entries],
        addressees=elements.addressees,
    )  # fmt: skip
