"""Numbers are given: to what was signed, with its page, and to what a unit registers; nobody asks for them."""

from __future__ import annotations

from chassis import clock
from chassis.aggregate import Request
from chassis.errors import Exists, wrong_state
from chassis.repository import anyone
from services.documents.model.numbering import Series, document_number, series_id
from services.documents.model.outgoing import Document
from services.documents.paper import local, print_document
from services.documents.repository import Desk


def number_document(desk: Desk, key: str) -> Document:
    """编号、排版 of a signed document; safe to repeat and to run twice at the same time."""
    document = desk.documents.get(key)
    if document.state != "signed" or document.signed_at is None:
        return document
    unit = desk.directory.unit(document.issuing_unit)
    if unit is None:
        raise wrong_state("发文单位不在目录中。")
    year = local(document.signed_at).year
    number = document_number(unit.organ_code, year, give(desk, series_id(unit.organ_code, year), key))
    holder = desk.numbers.claim(number, key)
    if holder != key:
        raise Exists("NUMBER_TAKEN", f"文号 {number} 已被占用。", "The number is taken.")
    printed = print_document(desk, document, number)
    at = clock.now()
    return desk.documents.change(
        key, Request(f"number:{key}"), lambda fresh: fresh.take_number(number, printed, at), anyone
    )


def give(desk: Desk, series: str, holder: str) -> int:
    """The number of `holder` in a series; the series begins when it is first used."""
    desk.series.add_if_missing(Series(id=series), Request(f"begin:{series}"))
    # What counts is what was saved: a lost race may have tried another number first.
    kept = desk.series.change(series, Request(f"give:{holder}"), lambda fresh: fresh.give(holder), anyone)
    return kept.given[holder]
