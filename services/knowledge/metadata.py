"""What a text and its file name tell about themselves: title, date, issuer, number. Pure functions."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import PurePosixPath

from chassis.times import SHANGHAI
from services.knowledge.extract import plain
from services.knowledge.model.description import TITLE
from services.knowledge.model.item import EXCERPT

_NAMED = re.compile(r"(?P<title>.+?)\s*[(（](?P<year>\d{4})-(?P<month>\d{1,2})-(?P<day>\d{1,2})[)）]")
_HEADING = re.compile(r"^#{1,3}\s+(.+?)\s*#*$", re.MULTILINE)
# 中华人民共和国国务院令第706号: who ordered it and under which number. A regulation lists its earlier orders
# first.
_ORDER = re.compile(
    r"(?:中华人民共和国)?(?P<issuer>[\u4e00-\u9fff、]{2,40}?)令\s*第\s*(?P<number>\d{1,5})\s*号"
)
_ISSUED = re.compile(r"\d{1,2}日\s+(?P<issuer>[\u4e00-\u9fff、]{2,40}?)(?:公布|发布|颁布)")
_HEAD = 1_500  # characters in which a text says who issued it


@dataclass(frozen=True)
class Told:
    """What could be told; '' or None where nothing could."""

    title: str
    date: datetime | None = None
    issuer: str = ""
    document_number: str = ""


def tell(path: str, text: str, form: str) -> Told:
    """Title and date from the file's name, else the first heading; issuer and number from the head."""
    stem = PurePosixPath(path).stem
    named = _NAMED.fullmatch(stem)
    heading = _HEADING.search(text[:_HEAD]) if form == "markdown" else None
    title = named["title"] if named else heading[1] if heading else stem
    issuer, number = _issuer(text[:_HEAD])
    return Told(title.strip()[:TITLE], _date(named), issuer, number)


def excerpt(text: str, form: str) -> str:
    """The beginning of a text without its marks and line ends; of a regulation, from its first article on."""
    bare = plain(text, form)
    start = bare.find("第一条")
    return " ".join((bare[start:] if 0 <= start < _HEAD else bare)[: 3 * EXCERPT].split())[:EXCERPT]


def _date(named: re.Match[str] | None) -> datetime | None:
    if named is None:
        return None
    try:
        day = datetime(int(named["year"]), int(named["month"]), int(named["day"]), tzinfo=SHANGHAI)
    except ValueError:
        # (2020-13-45) is a name like any other, not a date.
        return None
    return day.astimezone(UTC)


def _issuer(head: str) -> tuple[str, str]:
    head = head.partition("<!-- INFO END -->")[0]
    orders = list(_ORDER.finditer(head))
    if orders:
        issuer = _short(orders[-1]["issuer"])
        return issuer, f"{issuer}令第{int(orders[-1]['number'])}号"
    issued = _ISSUED.search(head)
    return (_short(issued["issuer"]), "") if issued else ("", "")


def _short(issuer: str) -> str:
    return issuer.replace("中华人民共和国", "")


def china_year(moment: datetime) -> int:
    """The year in which a moment lies by Chinese time."""
    return moment.astimezone(SHANGHAI).year
