"""The automatic numbers of Word: 一、 or （1） that a reader sees but that stand in no text of a .docx."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from docx.oxml.ns import qn

if TYPE_CHECKING:
    from collections.abc import Iterator


MAX_NUMBER = 9_999
_DIGITS = "〇一二三四五六七八九"


@dataclass(frozen=True)
class Level:
    """One level of a list: its format (ECMA-376 17.18.59), its pattern such as "（%1）", its first number."""

    form: str
    pattern: str
    start: int


@dataclass
class Numbering:
    """Counts the numbered paragraphs of one document, in order."""

    levels: dict[tuple[str, int], Level] = field(default_factory=dict)
    lists: dict[str, str] = field(default_factory=dict)
    counts: dict[str, list[int | None]] = field(default_factory=dict)

    @classmethod
    def of(cls, root: Any) -> Numbering:
        """From the root of numbering.xml; None means that the document has none."""
        numbering = cls()
        for abstract in () if root is None else root.findall(qn("w:abstractNum")):
            key = abstract.get(qn("w:abstractNumId"), "")
            for level in abstract.findall(qn("w:lvl")):
                numbering.levels[key, _int(level.get(qn("w:ilvl")), 0)] = Level(
                    _value(level, "w:numFmt") or "decimal",
                    _value(level, "w:lvlText"),
                    _int(_value(level, "w:start"), 1),
                )
        for num in () if root is None else root.findall(qn("w:num")):
            numbering.lists[num.get(qn("w:numId"), "")] = _value(num, "w:abstractNumId")
        return numbering

    def next(self, list_id: str, depth: int) -> str:
        """The number of the next paragraph of list `list_id` at `depth` (0 = outermost), "" for bullets."""
        key = self.lists.get(list_id, "")
        level = self.levels.get((key, depth))
        if level is None or not 0 <= depth <= 8:
            return ""
        counts = self.counts.setdefault(key, [None] * 9)
        current = counts[depth]
        counts[depth] = level.start if current is None else current + 1
        counts[depth + 1 :] = [None] * (8 - depth)
        if level.form in {"bullet", "none"}:
            return ""

        def shown(found: re.Match[str]) -> str:
            at = int(found[1]) - 1
            own = self.levels.get((key, at), level)
            count = counts[at]
            return formatted(own.start if count is None else count, own.form)

        return re.sub("%([1-9])", shown, level.pattern)


def of_paragraph(paragraph: Any, styles: dict[str, Any]) -> tuple[str, int] | None:
    """List id and depth of a paragraph element, of its own or by its style; None when it has no number."""
    properties = paragraph.find(qn("w:pPr"))
    if properties is None:
        return None
    list_id, depth = "", 0
    for candidate in (properties, *_style_properties(_value(properties, "w:pStyle"), styles)):
        number = candidate.find(qn("w:numPr"))
        if number is not None and not list_id:
            list_id, depth = _value(number, "w:numId"), _int(_value(number, "w:ilvl"), 0)
    # List 0 switches off what a style would give.
    return (list_id, depth) if list_id and list_id != "0" else None


def formatted(number: int, form: str) -> str:
    """A number in one of Word's formats; formats that official documents do not use become digits."""
    if not 0 < number <= MAX_NUMBER:
        return str(number)
    if form in {"chineseCounting", "chineseCountingThousand", "japaneseCounting", "taiwaneseCounting"}:
        return chinese(number)
    if form in {"decimalEnclosedCircle", "decimalEnclosedCircleChinese"} and number <= 20:
        return chr(0x2460 + number - 1)
    if form in {"lowerLetter", "upperLetter"} and number <= 26:
        return chr((0x61 if form == "lowerLetter" else 0x41) + number - 1)
    return str(number)


def chinese(number: int) -> str:
    """1 to 9999 as Chinese count: 10 十, 21 二十一, 105 一百〇五."""
    text = ""
    for unit, sign in ((1000, "千"), (100, "百"), (10, "十"), (1, "")):
        digit, number = divmod(number, unit)
        if digit:
            text += ("" if (digit, unit, text) == (1, 10, "") else _DIGITS[digit]) + sign
        elif text and number and not text.endswith("〇"):
            text += "〇"
    return text


def _style_properties(style: str, styles: dict[str, Any]) -> Iterator[Any]:
    seen: set[str] = set()
    while style in styles and style not in seen:
        seen.add(style)
        properties = styles[style].find(qn("w:pPr"))
        if properties is not None:
            yield properties
        style = _value(styles[style], "w:basedOn")


def _value(element: Any, name: str) -> str:
    child = element.find(qn(name))
    return "" if child is None else child.get(qn("w:val"), "")


def _int(text: str | None, default: int) -> int:
    return int(text) if text and re.fullmatch("[0-9]{1,6}", text) else default
