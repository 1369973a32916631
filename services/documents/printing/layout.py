"""Lay out a sheet as PDF after GB/T 9704-2012: everything that is computed around `gbt9704.typ`.

Text goes to the template as JSON and is never part of its source. Lengths are mm unless a name says pt.
"""

from __future__ import annotations

import datetime as dt
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import typst

from services.documents.printing import picture, titles
from services.documents.printing.errors import LayoutError
from services.documents.printing.fonts import FontSet, open_fonts
from services.documents.printing.printable import breakable, clean, replaced, strings
from services.documents.printing.sheet import (
    Block,
    CodePlace,
    Heading,
    Kind,
    PageBreak,
    Paragraph,
    Sheet,
    Table,
    chinese_date,
)

TEMPLATE = Path(__file__).with_name("gbt9704.typ")
AREA_HEIGHT = 225.0
# 〓 is the printer's mark for a character that the case lacks: seen at once, and never taken for text.
MISSING = "〓"
# A signature that would stand alone gets text onto its page by opening the lines (pt), or closing them.
LOOSENINGS = (-0.3, 0.3, -0.6, 0.6, -0.9, 0.9, -1.3, 1.4, -1.8, 2.0, -2.4)
# Where that is not enough, a last paragraph of up to so many characters moves to the signature's page whole.
MAX_KEPT = 140


@dataclass(frozen=True)
class Printed:
    """A laid-out sheet.

    missing_characters: those that no font has, printed as 〓. code_page: page with the code, 0 without.
    loosened: change of the body's line gap in pt (7.3.5.5). addressees_moved: 主送 went to the imprint
    because page 1 would have shown no body (7.3.2).
    """

    pdf: bytes
    pages: int
    missing_characters: str = ""
    code_page: int = 0
    loosened: float = 0.0
    addressees_moved: bool = False


def render(sheet: Sheet, fonts: Path) -> Printed:
    """The sheet as PDF with the fonts in folder `fonts`; the same sheet gives the same bytes.

    Raises FontsError (a standard font is missing), LayoutError (head or imprint higher than a page allows),
    PictureError (a seal that is no safe image) and CodeError (payload too long for a code).
    """
    fontset = open_fonts(fonts)
    data = _data(sheet)
    missing = fontset.missing(strings(data))
    if missing:
        data = replaced(data, str.maketrans(dict.fromkeys(missing, MISSING)))
    data["fonts"] = fontset.families
    attempt = _Attempt(data, fontset)
    moved = bool(attempt.facts["body"] > 1 and data["addressees"])
    if moved:
        _move_addressees(data)
        attempt = _Attempt(data, fontset)
    _check(attempt.facts)
    attempt = _accompanied(attempt)
    pages = attempt.facts["pages"]
    code_page = 0
    if sheet.code:
        code_page = 1 if data["code"]["place"] == CodePlace.HEAD else pages
    return Printed(attempt.pdf(_timestamp(sheet)), pages, missing, code_page, attempt.data["loosen"], moved)


class _Attempt:
    """One layout of the data, and the facts that the template reports about it."""

    def __init__(self, data: dict[str, Any], fontset: FontSet) -> None:
        self.data = data
        self.fontset = fontset
        self._compiler = typst.Compiler(
            TEMPLATE,
            font_paths=fontset.typst,
            ignore_system_fonts=True,
            sys_inputs={"sheet": json.dumps(data, ensure_ascii=False)},
        )
        self.facts: dict[str, Any] = json.loads(self._compiler.query("<facts>", field="value", one=True))

    @property
    def lonely(self) -> bool:
        """Whether the signature stands on a page that no text shares (7.3.5.5)."""
        return bool(self.facts["text"]) and self.facts["signature"] > self.facts["text"]

    def pdf(self, timestamp: int) -> bytes:
        pdf = self._compiler.compile(format="pdf", timestamp=timestamp)
        if not isinstance(pdf, bytes):
            raise TypeError("typst returned no PDF")
        return pdf


def _accompanied(attempt: _Attempt) -> _Attempt:
    """The attempt with the least change that brings signature and text onto one page.

    Should none do, as after a table that fills its page, the unchanged one.
    """
    if not attempt.lonely:
        return attempt
    changes: list[dict[str, Any]] = [{"loosen": loosen} for loosen in LOOSENINGS]
    last = attempt.data["body"][-1]
    if last["type"] == "paragraph" and sum(len(run["text"]) for run in last["runs"]) <= MAX_KEPT:
        changes.append({"keep": True})
    for change in changes:
        other = _Attempt({**attempt.data, **change}, attempt.fontset)
        # Page 1 must go on showing body (7.3.3).
        if not other.lonely and other.facts["body"] == attempt.facts["body"]:
            return other
    return attempt


def _check(facts: dict[str, Any]) -> None:
    if facts["head"] > AREA_HEIGHT * 0.9 or facts["imprint"] > AREA_HEIGHT:
        raise LayoutError(
            "DOES_NOT_FIT", "版头或版记超过一页，请减少机关数量。", "Head or imprint exceed one page."
        )


def _move_addressees(data: dict[str, Any]) -> None:
    data["imprint"]["receivers"].insert(0, ["主送：", data["addressees"].removesuffix("：") + "。"])
    data["addressees"] = ""


def _timestamp(sheet: Sheet) -> int:
    """The PDF's creation time: the document's date, so that printing again gives equal bytes."""
    date = sheet.date or dt.date(1970, 1, 1)
    return int(dt.datetime(date.year, date.month, date.day, tzinfo=dt.UTC).timestamp())


def _data(sheet: Sheet) -> dict[str, Any]:
    """The sheet as the template reads it; what the standard says in words is put into words here."""
    addressees = clean("，".join(sheet.addressees)).rstrip("：:")
    receivers = [["抄送：", _listed(sheet.copies)]] if sheet.copies else []
    data: dict[str, Any] = {
        "kind": sheet.kind,
        "loosen": 0.0,
        "keep": False,
        "meta": {"title": clean(sheet.title), "author": [clean(mark) for mark in sheet.organ_marks]},
        "marginal": _marginal(sheet),
        "organs": [clean(mark) for mark in sheet.organ_marks],
        "suffix": clean(sheet.mark_suffix) if sheet.kind is Kind.FILE else "",
        "number": clean(sheet.document_number),
        "signers": [clean(name) for name in sheet.signers],
        "title": titles.lines(clean(sheet.title)),
        "addressees": f"{addressees}：" if addressees else "",
        "body": [_block(block) for block in sheet.body],
        "notes": [clean(note).rstrip("。；;，,") for note in sheet.attachment_notes],
        "signatures": [
            {
                "organ": clean(signature.organ),
                "seal": picture.wrapped(signature.seal.image) if signature.seal else None,
                "diameter": signature.seal.diameter if signature.seal else 0.0,
            }
            for signature in sheet.signatures
        ],
        "date": chinese_date(sheet.date) if sheet.date else "",
        "note": _bracketed(clean(sheet.note)),
        "attendances": [{"label": clean(a.label), "names": clean(a.names)} for a in sheet.attendances],
        "attachments": [
            {
                "label": f"附件{number}" if len(sheet.attachments) > 1 else "附件",
                "title": titles.lines(clean(attachment.title)),
                "blocks": [_block(block) for block in attachment.blocks],
            }
            for number, attachment in enumerate(sheet.attachments, 1)
        ],
        "imprint": {
            "receivers": receivers,
            "organ": clean(sheet.issuing_organ),
            "date": f"{chinese_date(sheet.issued_on)}印发" if sheet.issued_on else "",
        },
        "code": _code(sheet),
    }
    if sheet.addressees_in_imprint and addressees:
        _move_addressees(data)
    return data


def _marginal(sheet: Sheet) -> list[dict[str, Any]]:
    # The state-secret mark is 密级★期限.
    secrecy = "★".join(filter(None, (sheet.classification, sheet.period)))
    rows = ((sheet.copy_number, False), (secrecy, True), (sheet.urgency, True))
    return [{"text": clean(text), "hei": hei} for text, hei in rows if text]


def _code(sheet: Sheet) -> dict[str, Any] | None:
    if not sheet.code:
        return None
    # A letter's lower red lines lie where the code of page 1 would stand.
    head = sheet.code_place is CodePlace.HEAD or sheet.kind is Kind.LETTER
    drawing = picture.draw(sheet.code, max_height=20.0 if sheet.kind is Kind.LETTER else 26.0)
    place = CodePlace.HEAD if head else sheet.code_place
    return {"svg": drawing.svg, "width": drawing.width, "height": drawing.height, "place": place}


def _block(block: Block) -> dict[str, Any]:
    match block:
        case Paragraph(runs):
            return {
                "type": "paragraph",
                "runs": [{"text": breakable(clean(run.text)), "strong": run.strong} for run in runs],
            }
        case Heading(level, text, rest):
            return {
                "type": "heading",
                "level": level,
                "text": breakable(clean(text)),
                "rest": breakable(clean(rest)),
            }
        case Table(rows, header):
            columns = max(map(len, rows))
            cells = [[breakable(clean(c), 8) for c in row] + [""] * (columns - len(row)) for row in rows]
            # Wide texts get wide columns, yet none is starved nor takes all.
            widths = [min(max(len(cell) for cell in column), 24) + 3 for column in zip(*cells, strict=True)]
            return {"type": "table", "rows": cells, "widths": widths, "header": header and len(rows) > 1}
        case PageBreak():
            return {"type": "break"}


def _listed(names: tuple[str, ...]) -> str:
    return clean("，".join(names)).rstrip("。") + "。"


def _bracketed(note: str) -> str:
    return f"（{note.removeprefix('（').removesuffix('）')}）" if note else ""
