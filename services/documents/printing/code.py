"""The text of the two-dimensional code of official documents: `GB0626-2005`, 14 elements (standards.md §3).

Each element is closed by `^`, the whole by `|`. Lengths are bytes of GB 18030, two to a Chinese character.
Layout and element order are verified by 湖南省机关公文二维条码使用规范 and three implementations; the
body of the national standard was not read.
"""

from __future__ import annotations

import datetime as dt
import re
import unicodedata
from dataclasses import dataclass

from chassis.words import LEVELS
from services.documents.printing.errors import CodeError

VERSION = "GB0626-2005"
# BQZNJH200802: an older prefix with the same elements.
VERSIONS = (VERSION, "BQZNJH200802")
NONE = "无"
SEE_ADDRESSEES = "见主送机关"
# Far above the longest well-formed text (about 500 bytes), far below what a PDF417 symbol can hold.
MAX_BYTES = 1_000
# The vocabulary of 2005; the 条例 of 2012 says 加急, which is what we write.
OLD_URGENCY = {"急件": "加急"}


@dataclass(frozen=True)
class Code:
    """The elements of the code, in order; "" or None for 无 and blank.

    number: 条码编号, unique per maker, ≤ 20 bytes. issuer: 发文单位 (joint: the lead). spread: 发布层次.
    maker, made_on: 条码制作单位 and 日期. period is printed directly after classification.
    """

    number: str
    issuer: str
    genre: str = ""
    document_number: str = ""
    addressees: str = ""
    title: str = ""
    classification: str = ""
    period: str = ""
    urgency: str = ""
    date: dt.date | None = None
    spread: str = ""
    maker: str = ""
    made_on: dt.date | None = None
    custom: str = ""
    version: str = VERSION


def encode(code: Code) -> str:
    """The payload of `code`.

    Title, genre, spread and custom field are cut at their limits on a character; addressees too long become
    见主送机关. Raises CodeError when what identifies the document (number, issuer, document number,
    classification, urgency, maker) is missing or too long: cut, it would name another one.
    """
    addressees = plain(code.addressees)
    elements = (
        VERSION,
        _whole(code.number, "条码编号", 20),
        _whole(code.issuer, "发文单位", 40),
        _cut(code.genre, 30),
        _whole(code.document_number or NONE, "发文字号", 30),
        addressees if _bytes(addressees) <= 40 else SEE_ADDRESSEES,
        _cut(code.title, 160),
        _whole(plain(code.classification) + plain(code.period) or NONE, "密级", 16),
        _whole(OLD_URGENCY.get(code.urgency, code.urgency) or NONE, "紧急程度", 4),
        _written(code.date),
        _cut(code.spread, 16),
        _whole(code.maker or code.issuer, "条码制作单位", 40),
        _written(code.made_on),
        _cut(code.custom, 200),
    )
    return "".join(f"{element}^" for element in elements) + "|"


def decode_payload(payload: bytes) -> Code:
    """The fields in a code's bytes: GB 18030 or UTF-8, 13 to 15 elements. Raises CodeError for others."""
    if len(payload) > MAX_BYTES:
        raise _not_ours()
    text = _decoded(payload).strip("\x00 \r\n\t")
    head, _, rest = text.partition("^")
    if head not in VERSIONS:
        raise _not_ours()
    elements = rest.rpartition("|")[0] if "|" in rest else rest
    values = [head, *elements.removesuffix("^").split("^")]
    if not 13 <= len(values) <= 15:
        raise _not_ours()
    found = ["" if value.strip() == NONE else plain(value) for value in values]
    found += [""] * (15 - len(found))
    classification, period = _secrecy(found[7])
    return Code(
        version=head,
        number=found[1],
        issuer=found[2],
        genre=found[3],
        document_number=found[4],
        addressees=found[5],
        title=found[6],
        classification=classification,
        period=period,
        urgency=OLD_URGENCY.get(found[8], found[8]),
        date=_read(found[9]),
        spread=found[10],
        maker=found[11],
        made_on=_read(found[12]),
        # A fifteenth element is a second field of the maker's own.
        custom=" ".join(filter(None, found[13:])),
    )


def plain(text: str) -> str:
    """Text as it may stand in an element: no `^`, `|`, control or format characters, single spaces."""
    kept = "".join(
        " " if c.isspace() else c
        for c in text
        if c not in "^|" and (c.isspace() or unicodedata.category(c) not in {"Cc", "Cf", "Cs"})
    )
    return re.sub(" +", " ", kept).strip()


def _bytes(text: str) -> int:
    return len(text.encode("gb18030"))


def _cut(text: str, limit: int) -> str:
    text = plain(text)
    while _bytes(text) > limit:
        # Every character is at least one byte and at most four: never cuts too much.
        text = text[: len(text) - max(1, (_bytes(text) - limit) // 4)]
    return text.strip()


def _whole(text: str, name: str, limit: int) -> str:
    text = plain(text)
    if not text or _bytes(text) > limit:
        raise CodeError(
            "CODE_ELEMENT", f"二维条码的“{name}”应为1至{limit}字节。", f"{name} must have 1 to {limit} bytes."
        )
    return text


def _written(date: dt.date | None) -> str:
    # Not strftime: it pads no years below 1000 on Linux.
    return f"{date.year:04}{date.month:02}{date.day:02}" if date else ""


def _read(text: str) -> dt.date | None:
    """A date that is none (scanned codes hold all sorts) counts as blank."""
    if not re.fullmatch("[0-9]{8}", text):
        return None
    try:
        return dt.date(int(text[:4]), int(text[4:6]), int(text[6:]))
    except ValueError:
        return None


def _secrecy(text: str) -> tuple[str, str]:
    for level in LEVELS[1:]:
        if text.startswith(level):
            return level, text.removeprefix(level).lstrip("★")
    return text, ""


def _decoded(payload: bytes) -> str:
    # GB 18030 would take nearly any UTF-8 for other Chinese, so UTF-8 goes first. It cannot be deceived:
    # elements 8 and 9 are never blank, and the GB bytes of 无, 秘密, 机密, 绝密 are not valid UTF-8.
    for encoding in ("utf-8", "gb18030"):
        try:
            return payload.decode(encoding)
        except UnicodeDecodeError:
            continue
    raise _not_ours()


def _not_ours() -> CodeError:
    return CodeError("NOT_A_DOCUMENT_CODE", "这不是公文二维条码。", "This is not the code of a document.")
