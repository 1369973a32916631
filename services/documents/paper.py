"""A document's printed page: its elements as a sheet, laid out as PDF and kept as a file."""

from __future__ import annotations

from datetime import datetime

from chassis.errors import InvalidInput
from chassis.times import SHANGHAI
from chassis.words import LEVELS
from services.documents.bodies import blocks_of
from services.documents.model.elements import FileRef
from services.documents.model.outgoing import Document
from services.documents.printing import code, layout, sheet
from services.documents.printing.errors import PrintingError
from services.documents.repository import Desk

UPWARD = ("请示", "报告")
ISSUER_BYTES = 40  # of elements 003 and 012 of the code (standards §3)


def local(moment: datetime) -> datetime:
    """The moment in Chinese time."""
    return moment.astimezone(SHANGHAI)


def print_document(desk: Desk, document: Document, number: str) -> FileRef:
    """Lay the document out and keep the PDF; without a number it is the preview that is reviewed.

    Raises InvalidInput when what was written cannot be printed.
    """
    try:
        printed = layout.render(sheet_of(desk, document, number), desk.fonts)
    except PrintingError as problem:
        raise InvalidInput("CANNOT_PRINT", problem.zh, problem.en) from problem
    stored = desk.files.put([printed.pdf], own=True)
    title = document.elements.title.replace("/", "-")
    return FileRef(f"{number or '送审稿'} {title}.pdf", "application/pdf", stored.digest, stored.size)


def sheet_of(desk: Desk, document: Document, number: str) -> sheet.Sheet:
    """Everything that stands on the page."""
    elements, name = document.elements, desk.directory.unit_name
    organ = name(document.issuing_unit)
    signed = local(document.signed_at).date() if document.signed_at else None
    leader = desk.directory.person_name(document.leader) if document.leader else ""
    return sheet.Sheet(
        organ_marks=(organ,),
        kind=sheet.Kind.LETTER if elements.genre == "函" else sheet.Kind.FILE,
        mark_suffix="" if elements.genre == "函" else "文件",
        title=elements.title,
        body=blocks_of(elements.body),
        classification=LEVELS[elements.level],
        period=elements.period,
        urgency=elements.urgency,
        document_number=number,
        signers=(leader,) if elements.genre in UPWARD and leader else (),
        addressees=tuple(name(unit) for unit in elements.addressees),
        attachment_notes=tuple(file.name.rpartition(".")[0] or file.name for file in document.files),
        signatures=(sheet.Signature(organ),),
        date=signed,
        note=elements.note,
        copies=tuple(name(unit) for unit in elements.copies),
        issuing_organ=organ,
        issued_on=signed,
        code=code.encode(code_of(desk, document, number)) if number else "",
    )


def code_of(desk: Desk, document: Document, number: str) -> code.Code:
    """The elements of the 2-D code (standards §3); its number is date and document id, unique per maker."""
    elements, name = document.elements, desk.directory.unit_name
    issuer = _short(desk, document.issuing_unit)
    signed = local(document.signed_at).date() if document.signed_at else None
    day = f"{signed:%Y%m%d}" if signed else ""
    several = len(elements.addressees) > 1
    return code.Code(
        number=f"{day}{document.id[:12]}",
        issuer=issuer,
        genre=elements.genre,
        document_number=number,
        addressees="见主送机关" if several else "".join(name(unit) for unit in elements.addressees),
        title=elements.title,
        classification=LEVELS[elements.level],
        period=elements.period,
        urgency=elements.urgency,
        date=signed,
        spread=elements.release,
        maker=issuer,
        made_on=signed,
    )


def _short(desk: Desk, unit: str) -> str:
    """The unit's name as the code can hold it: 40 bytes, two to a character, so the short name stands for a longer one."""
    found = desk.directory.unit(unit)
    names = [found.name, found.short_name] if found else []
    fitting = [name for name in names if 0 < len(name.encode("gb18030", "replace")) <= ISSUER_BYTES]
    return fitting[0] if fitting else desk.directory.unit_name(unit)[: ISSUER_BYTES // 4]
