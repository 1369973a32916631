"""Aggregates as the messages that callers get; what a caller may do, and may see, is decided here once."""

from __future__ import annotations

from tongban.documents.v1 import documents_pb2 as pb

from chassis.identity_types import Principal
from chassis.times import moment, stamp
from services.documents import access, delivering
from services.documents.model.course import Matter
from services.documents.model.elements import Elements, FileRef
from services.documents.model.incoming import Delivery
from services.documents.model.outgoing import Document
from services.documents.repository import Desk
from services.documents.wire import entry_to_wire


def document_view(desk: Desk, document: Document, principal: Principal) -> pb.Document:
    """An outgoing document for one of the issuing side."""
    view = pb.Document(
        document=document.id, etag=str(document.revision), state=document.state, elements=elements_view(document.elements),
        issuing_unit=document.issuing_unit, drafting_unit=document.drafting_unit, drafter=document.drafter,
        reviewers=document.reviewers, leader=document.leader, document_number=document.number,
        signed_at=stamp(document.signed_at), dispatched_at=stamp(document.dispatched_at),
        created_at=stamp(document.created_at), concluded_at=stamp(document.concluded_at),
        files=[file_view(file) for file in document.files],
        printed=file_view(document.printed) if document.printed else None,
        items=items_view(document), course=[entry_to_wire(entry) for entry in document.course],
        actions=document.actions(principal),
    )  # fmt: skip
    if document.units and access.oversees(document, principal):
        found = {delivery.unit: delivery for delivery in delivering.deliveries_of(desk, document)}
        # A unit whose delivery is still on its way stands there as "sending".
        for unit in document.units:
            delivery = found.get(unit)
            view.progress.append(
                progress_view(delivery, principal)
                if delivery
                else pb.Progress(unit=unit, state="sending", copy=unit in document.elements.copies)
            )
    return view


def elements_view(elements: Elements) -> pb.Elements:
    """The elements on the wire."""
    return pb.Elements(
        genre=elements.genre, title=elements.title, body=elements.body, addressees=elements.addressees,
        copies=elements.copies, urgency=elements.urgency, level=elements.level, period=elements.period,
        note=elements.note, reply_required=elements.reply_required, reply_by=stamp(elements.reply_by),
        release=elements.release,
    )  # fmt: skip


def elements_of(view: pb.Elements) -> Elements:
    """The elements as somebody sent them."""
    return Elements(
        genre=view.genre or "通知", title=view.title.strip(), body=view.body, addressees=list(view.addressees),
        copies=list(view.copies), urgency=view.urgency, level=view.level, period=view.period.strip(),
        note=view.note.strip(), reply_required=view.reply_required,
        reply_by=moment(view.reply_by), release=view.release,
    )  # fmt: skip


def delivery_view(desk: Desk, delivery: Delivery, principal: Principal) -> pb.Delivery:
    """A delivery for one of the receiving unit."""
    document = desk.documents.get(delivery.document)
    elements = document.elements
    return pb.Delivery(
        delivery=delivery.id, etag=str(delivery.revision), document=delivery.document, unit=delivery.unit,
        copy=delivery.copy, state=delivery.state, incoming_number=delivery.incoming_number,
        content=pb.Content(
            document_number=document.number, title=elements.title, genre=elements.genre, body=elements.body,
            issuing_unit=document.issuing_unit, urgency=elements.urgency, level=elements.level,
            reply_required=delivery.reply_required, issued_at=stamp(document.signed_at),
            printed=file_view(document.printed) if document.printed else None,
            files=[file_view(file) for file in document.files],
        ),
        proposal=delivery.proposal, answer=delivery.answer, items=items_view(delivery),
        course=[entry_to_wire(entry) for entry in delivery.course], actions=delivery.actions(principal),
        sent_at=stamp(delivery.sent_at), due_at=stamp(delivery.due_at), return_reason=delivery.return_reason,
        urgings=[urging.opinion for urging in delivery.urgings],
        answer_files=[file_view(file) for file in delivery.answer_files],
    )  # fmt: skip


def progress_view(delivery: Delivery, principal: Principal) -> pb.Progress:
    """How far a unit is, for the issuing office: who, what, when, the answer; no internal opinions."""
    return pb.Progress(
        delivery=delivery.id, unit=delivery.unit, copy=delivery.copy, state=delivery.state,
        sent_at=stamp(delivery.sent_at), signed_for_at=stamp(delivery.signed_for_at),
        signed_for_by=delivery.signed_for_by, registered_at=stamp(delivery.registered_at),
        readings=[pb.Reading(person=reading.person, time=stamp(reading.time)) for reading in delivery.readings],
        handlings=[
            pb.Handling(holder=item.holder, lead=item.lead, by=item.closed_by, time=stamp(item.closed_at), outcome=item.outcome)
            for item in delivery.items
            if item.kind == "handle"
        ],
        answered_at=stamp(delivery.answered_at), answered_by=delivery.answered_by, answer=delivery.answer,
        return_reason=delivery.return_reason, concluded_at=stamp(delivery.concluded_at), urged=len(delivery.urgings),
        due_at=stamp(delivery.due_at), actions=delivery.issuer_actions(principal),
        answer_files=[file_view(file) for file in delivery.answer_files],
    )  # fmt: skip


def file_view(file: FileRef) -> pb.File:
    """A file's name and size."""
    return pb.File(name=file.name, media_type=file.media_type, digest=file.digest, size=file.size)


def items_view(matter: Matter) -> list[pb.WorkItem]:
    """The steps, open and closed."""
    return [
        pb.WorkItem(
            item=item.id, kind=item.kind, action=item.action, holder=item.holder, lead=item.lead,
            opened_at=stamp(item.opened_at), due_at=stamp(item.due_at), closed_at=stamp(item.closed_at),
            closed_by=item.closed_by, outcome=item.outcome,
        )
        for item in matter.items
    ]  # fmt: skip
