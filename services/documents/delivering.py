"""A document and the units it goes to: put before each of them, ended with the last of them, and what they did to be filed."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime

from chassis import clock
from chassis.aggregate import Request
from chassis.repository import anyone
from services.documents.model.course import SYSTEM, Actor, Entry
from services.documents.model.incoming import Delivery
from services.documents.model.outgoing import Document
from services.documents.model.receiving import ENDED
from services.documents.repository import Desk


def unit_ended(desk: Desk, request: Request, key: str, unit: str, at: datetime) -> None:
    """One unit finished at that time; the matter ends with the last one."""

    def step(document: Document) -> None:
        if document.unit_ended(unit):
            document.conclude(SYSTEM, units_course(desk, document), "各单位均已办结", at)

    desk.documents.change(key, request, step, anyone)


def units_course(desk: Desk, document: Document) -> list[Entry]:
    """What the issuing side files of the units' doings: the steps with their names and times, and the answers."""
    lines: list[Entry] = []
    for delivery in deliveries_of(desk, document):
        for entry in delivery.course:
            shown = (
                entry.opinion
                if entry.action in ("答复", "退回来文单位", "催办", "重新发送", "同意退文")
                else ""
            )
            if entry.action != "来文":
                lines.append(
                    Entry(
                        entry.time,
                        entry.person,
                        entry.unit or delivery.unit,
                        entry.action,
                        shown,
                        entry.outcome,
                    )
                )
    return lines


def deliveries_of(desk: Desk, document: Document) -> list[Delivery]:
    """The deliveries of a document, in the order of dispatch."""
    found = desk.deliveries.get_many(f"{document.id}|{unit}" for unit in document.units)
    return [found[key] for unit in document.units if (key := f"{document.id}|{unit}") in found]


def deliver(desk: Desk, event: Callable[[str], Request], document: Document, units: Iterable[str]) -> None:
    """Put the document before these units; repeating it does nothing. event(part): the key of the effect for one unit."""
    desk.deliveries.add_all([(_delivery(document, unit), event(f"|{unit}")) for unit in units])


def _delivery(document: Document, unit: str) -> Delivery:
    elements, at = document.elements, document.dispatched_at or clock.now()
    copy = unit in elements.copies
    delivery = Delivery(
        id=f"{document.id}|{unit}", document=document.id, unit=unit, issuing_unit=document.issuing_unit,
        title=elements.title, document_number=document.number, genre=elements.genre, urgency=elements.urgency,
        level=elements.level, copy=copy, reply_required=elements.reply_required and not copy,
        due_at=None if copy else elements.reply_by, sent_at=at,
    )  # fmt: skip
    sender = next((entry.person for entry in reversed(document.course) if entry.action == "核发"), "")
    delivery.arrive(Actor(sender, document.issuing_unit), at)
    return delivery


def lapse(desk: Desk, request: Request, document: Document, at: datetime) -> None:
    """The matter ended at that time: so it has with every unit."""
    for delivery in deliveries_of(desk, document):
        if delivery.state not in ENDED:
            part = Request(f"{request.key}|{delivery.unit}")
            desk.deliveries.change(delivery.id, part, lambda fresh: fresh.lapse(at), anyone)
