"""What documents do about what happened. They publish obligations and the life of documents; see wire.py.

Every effect is idempotent: numbering and delivering by id, the rest by the event's id.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from tongban.events.v1 import document_pb2 as pb

from chassis.consumer import Consumer, Event, Later
from chassis.parts import Parts
from services.documents import delivering, numbering
from services.documents.model.receiving import ENDED
from services.documents.registry import registry
from services.documents.repository import desk

PATIENCE = timedelta(seconds=3)


def consumers(parts: Parts) -> list[Consumer]:
    """The consumers of this service's own events."""
    own = desk(parts, registry(parts))

    def signed_off(event: Event) -> None:
        # The call that signed numbers the document at once; this is for the case that it could not. An event of the future is of
        # a process with another clock, and would be waited for until that time.
        found = own.documents.get(event.message.document)
        if found.state == "signed" and timedelta(0) <= datetime.now(UTC) - event.time < PATIENCE:
            raise Later(PATIENCE.total_seconds())
        numbering.number_document(own, found.id)

    def dispatched(event: Event) -> None:
        document = own.documents.get(event.message.document)
        delivering.deliver(own, event.request, document, event.message.units)

    def progressed(event: Event) -> None:
        if event.message.state in ENDED:
            delivering.unit_ended(
                own, event.request(), event.message.document, event.message.unit, event.time
            )

    def concluded(event: Event) -> None:
        if "|" not in event.message.document:
            document = own.documents.get(event.message.document)
            delivering.lapse(own, event.request(), document, event.time)

    mine = f"tongban.{parts.settings.service}.v1"
    return [
        Consumer("signed", {f"{mine}.document.signed_off": (pb.DocumentSignedOff, signed_off)}, "签发后编号"),
        Consumer(
            "dispatch", {f"{mine}.document.dispatched": (pb.DocumentDispatched, dispatched)}, "向收文单位送达"
        ),
        Consumer(
            "progress", {f"{mine}.delivery.progressed": (pb.DeliveryProgressed, progressed)}, "汇总办理情况"
        ),
        Consumer("conclude", {f"{mine}.document.concluded": (pb.DocumentConcluded, concluded)}, "办结与失效"),
    ]
