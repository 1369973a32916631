"""What stands in the two registers: outgoing and incoming documents."""

from __future__ import annotations

from chassis.parts import Parts
from chassis.registry import MakeEntry, Registry, micros
from chassis.search import Entry, Field, Schema
from services.documents.model.incoming import Delivery
from services.documents.model.outgoing import Document
from services.documents.model.receiving import ENDED

SCHEMA = Schema(
    (
        Field("title", "text", boost=3),
        Field("number", "text", boost=3),
        Field("body", "text"),
        Field("book", "keyword"),  # outgoing or incoming
        Field("state", "keyword"),
        Field("genre", "keyword"),
        Field("unit", "keyword"),  # of the other side: receiving units, or the issuing one
        Field("owner", "keyword"),  # drafter, or receiving unit
        Field("date", "date"),
        Field("row", "stored"),
    ),
    version=1,
)


def outgoing_entry(document: Document) -> Entry | None:
    """One line of the register of outgoing documents."""
    elements = document.elements
    date = micros(document.signed_at or document.created_at)
    row = {
        "title": elements.title, "document_number": document.number, "genre": elements.genre, "state": document.state,
        "unit": document.drafting_unit, "urgency": elements.urgency, "level": elements.level, "time": date,
        "units_total": len(document.units), "units_done": len(document.ended_units),
    }  # fmt: skip
    return Entry(
        document.id, document.revision, sorted(document.readers()), elements.level,
        {
            "title": elements.title, "number": document.number, "body": elements.body, "book": "outgoing",
            "state": document.state, "genre": elements.genre, "unit": document.units, "owner": document.drafter,
            "date": date, "row": row,
        },
    )  # fmt: skip


def incoming_entry(delivery: Delivery) -> Entry | None:
    """One line of a unit's register of incoming documents."""
    date = micros(delivery.sent_at)
    row = {
        "title": delivery.title, "document_number": delivery.document_number, "genre": delivery.genre,
        "state": delivery.state, "unit": delivery.issuing_unit, "urgency": delivery.urgency, "level": delivery.level,
        "time": date, "incoming_number": delivery.incoming_number, "units_total": 1,
        "units_done": int(delivery.state in ENDED),
    }  # fmt: skip
    return Entry(
        delivery.id, delivery.revision, sorted(delivery.readers()), delivery.level,
        {
            "title": delivery.title, "number": [delivery.document_number, delivery.incoming_number],
            "book": "incoming", "state": delivery.state, "genre": delivery.genre, "unit": delivery.issuing_unit,
            "owner": delivery.unit, "date": date, "row": row,
        },
    )  # fmt: skip


def registry(parts: Parts) -> Registry:
    """The registers of this service."""
    entries: dict[str, MakeEntry] = {"documents": outgoing_entry, "deliveries": incoming_entry}
    return Registry(parts.settings.own_var / "index", SCHEMA, entries)
