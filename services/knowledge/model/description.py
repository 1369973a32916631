"""What people may say about an item, apart from its content, and the limits of it."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from chassis.errors import InvalidInput, invalid

ARCHIVE = "archive"
KINDS = {
    ARCHIVE: "归档公文",
    "regulation": "法规制度",
    "experience": "经验材料",
    "reference": "参考资料",
    "template": "范文模板",
    "training": "学习培训",
}
UPLOADABLE = frozenset(KINDS) - {ARCHIVE}
TITLE, NUMBER, CATEGORY = 300, 100, 40  # longest texts, in characters
CATEGORIES, READERS = 20, 500  # most of each
HIGHEST_LEVEL = 3
_TOKEN = re.compile(r"all|p:[A-Za-z0-9-]{1,64}|u:[a-z0-9-]{1,32}(:(member|registrar|head|leader))?")


@dataclass(frozen=True)
class Description:
    """What people may say about an item, apart from its content."""

    title: str
    kind: str
    readers: tuple[str, ...]
    document_number: str = ""
    date: datetime | None = None
    level: int = 0
    categories: tuple[str, ...] = ()


def described(
    title: str,
    kind: str,
    readers: Iterable[str],
    *,
    kinds: Iterable[str] = UPLOADABLE,
    document_number: str = "",
    date: datetime | None = None,
    level: int = 0,
    categories: Iterable[str] = (),
) -> Description:
    """A description that obeys the limits.

    Raises InvalidInput with a sentence per field.
    """
    title, document_number = " ".join(title.split()), document_number.strip()
    tokens = tuple(dict.fromkeys(readers))
    labels = tuple(dict.fromkeys(label for one in categories if (label := " ".join(one.split()))))
    wrong = {}
    if not 1 <= len(title) <= TITLE:
        wrong["title"] = f"题目须为 1–{TITLE} 个字。"
    if kind not in set(kinds):
        wrong["kind"] = "请选择资料类别。"
    if len(tokens) > READERS or not all(_TOKEN.fullmatch(token) for token in tokens):
        wrong["readers"] = f"请选择阅读范围（最多 {READERS} 个单位或人员）。"
    if len(document_number) > NUMBER:
        wrong["document_number"] = f"文号不能超过 {NUMBER} 个字。"
    if not 0 <= level <= HIGHEST_LEVEL:
        wrong["level"] = "没有这个密级。"
    if len(labels) > CATEGORIES or any(len(label) > CATEGORY for label in labels):
        wrong["categories"] = f"分类最多 {CATEGORIES} 个，每个不超过 {CATEGORY} 个字。"
    if wrong:
        raise invalid(**wrong)
    return Description(title, kind, tokens, document_number, date, level, labels)


def admit_level(level: int, clearance: int, highest: int) -> None:
    """Admit a level that both the network and the person are cleared for; else raise InvalidInput."""
    if level > highest:
        raise InvalidInput(
            "LEVEL_NOT_ADMITTED",
            "本系统不得存放该密级的内容。",
            "Not admitted here.",
            {"level": "本系统不得存放该密级的内容。"},
        )
    if level > clearance:
        raise invalid(level="密级高于您的涉密等级。")
