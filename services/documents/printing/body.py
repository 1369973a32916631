"""A manuscript as typed blocks: plain text and Markdown (`word.py` does .docx).

Headings are recognised by their own numbers 一、 （一） 1. （1） (GB/T 9704-2012 7.3.3). What cannot be
printed, such as images, is not dropped in silence but named in `Reading.left_out`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from markdown_it import MarkdownIt

from services.documents.printing.errors import UnreadableTextError
from services.documents.printing.sheet import MAX_CHARACTERS, Block, Heading, PageBreak, Paragraph, Run, Table

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from markdown_it.token import Token

MAX_NESTING = 40
# Each unclosed bracket costs the Markdown parser time; no manuscript has so many.
MAX_BRACKETS = 5_000

_CHINESE = "[一二三四五六七八九十百]{1,5}"
_NUMBERS = (
    re.compile(rf"{_CHINESE}、"),
    re.compile(rf"[（(]{_CHINESE}[）)]"),
    re.compile(r"[0-9]{1,3}(?:[.．](?![0-9])|、)"),
    re.compile(r"[（(][0-9]{1,3}[）)]"),
)


@dataclass(frozen=True)
class Reading:
    """What a manuscript holds.

    title: "" when none is marked as such; left_out: kinds of content that were not taken over, in Chinese.
    """

    blocks: tuple[Block, ...]
    title: str = ""
    left_out: tuple[str, ...] = ()


@dataclass
class Gathered:
    """A reading in the making."""

    blocks: list[Block] = field(default_factory=list)
    title: str = ""
    left_out: dict[str, None] = field(default_factory=dict)

    def finished(self) -> Reading:
        return Reading(tuple(self.blocks), self.title, tuple(self.left_out))


def read_text(text: str) -> Reading:
    """One block a line; a form feed is a page break. Raises UnreadableTextError beyond the limits."""
    check_length(text)
    blocks: list[Block] = []
    for number, page in enumerate(text.split("\f")):
        if number:
            blocks.append(PageBreak())
        blocks += (classified((Run(line),)) for line in page.splitlines() if line.strip())
    return Reading(tuple(blocks))


def check_length(text: str) -> None:
    """Raise UnreadableTextError when a manuscript is longer than a sheet may be."""
    if len(text) > MAX_CHARACTERS:
        raise UnreadableTextError(
            "TEXT_TOO_LONG", f"文稿超过{MAX_CHARACTERS}字。", f"The text exceeds {MAX_CHARACTERS} characters."
        )


def classified(runs: Iterable[Run], level: int = 0) -> Block:
    """A heading or a paragraph, by the number that it begins with; else by `level` (0: none).

    The heading is the whole line when that is short and unpunctuated, or its first sentence when more
    follows. Items of a list that merely bear such numbers (批复, 办法) thus stay paragraphs.
    """
    runs = _trimmed(runs)
    text = "".join(run.text for run in runs)
    for number, pattern in enumerate(_NUMBERS, 1):
        if pattern.match(text):
            return _heading(number, text) or Paragraph(runs)
    return Heading(level, text) if level else Paragraph(runs)


def _heading(level: int, text: str) -> Heading | None:
    sentence, stop, rest = text.partition("。")
    if rest:
        plain = len(sentence) <= 40 and not _listing(sentence)
    elif stop:
        plain = len(text) <= 20 and "，" not in text
    else:
        plain = len(text) <= 60 and not _listing(text)
    return Heading(level, sentence + stop, rest) if plain else None


def _listing(text: str) -> bool:
    return text[-1] in "；，：;,:、" or any(mark in text for mark in "；;")


def _trimmed(runs: Iterable[Run]) -> tuple[Run, ...]:
    """Runs without the spaces that authors type for an indent, and without empty ones."""
    kept = [run for run in runs if run.text]
    while kept and not kept[0].text.strip():
        kept.pop(0)
    while kept and not kept[-1].text.strip():
        kept.pop()
    if kept:
        kept[0] = Run(kept[0].text.lstrip(), kept[0].strong)
        kept[-1] = Run(kept[-1].text.rstrip(), kept[-1].strong)
    return tuple(kept)


def read_markdown(text: str) -> Reading:
    """CommonMark with tables; raw HTML is text. A single # heading at the top is the title.

    Raises UnreadableTextError beyond the limits of length, nesting and brackets.
    """
    check_length(text)
    if text.count("[") > MAX_BRACKETS:
        raise UnreadableTextError(
            "TEXT_HOSTILE",
            "文稿中的方括号“[”过多，无法排版，请删去多余的再试。",
            "The text has too many brackets.",
        )
    parser = MarkdownIt("commonmark", {"html": False, "maxNesting": MAX_NESTING}).enable("table")
    tokens = parser.parse(text)
    # Beyond its limit the parser leaves text out: better to refuse than to lose a paragraph.
    if any(token.level >= MAX_NESTING - 3 for token in _with_children(tokens)):
        raise UnreadableTextError(
            "TEXT_TOO_NESTED", "文稿中列表或引用的层级过多，请简化后再试。", "The text is nested too deeply."
        )
    reader = _MarkdownReader(
        titled=sum(token.type == "heading_open" and token.tag == "h1" for token in tokens) == 1
    )
    for token in tokens:
        reader.take(token)
    return reader.found.finished()


class _MarkdownReader:
    """Turns the parser's flat stream of tokens into blocks."""

    def __init__(self, *, titled: bool) -> None:
        self.found = Gathered()
        self._titled = titled
        self._prefix = ""
        self._level = 0
        self._rows: list[tuple[str, ...]] = []
        self._row: list[str] | None = None

    def take(self, token: Token) -> None:
        """The next token; openings and closings that carry no text, and rules, change nothing."""
        match token.type:
            case "heading_open":
                self._level = min(int(token.tag[1]), 4)
            case "heading_close":
                self._level = 0
            case "list_item_open" if token.info:
                self._prefix = f"{token.info}."
            case "tr_open":
                self._row = []
            case "tr_close":
                self._rows.append(tuple(self._row or ()))
                self._row = None
            case "table_close":
                self.found.blocks.append(Table(tuple(self._rows)))
                self._rows = []
            case "inline":
                self._text(token)
            case "fence" | "code_block":
                lines = (line for line in token.content.splitlines() if line.strip())
                self.found.blocks += map(Paragraph.of, lines)

    def _text(self, token: Token) -> None:
        lines = _inline(token, self.found)
        if self._row is not None:
            self._row.append("".join(run.text for line in lines for run in line))
            return
        for line in lines:
            runs = (Run(self._prefix), *line)
            self._prefix = ""
            if self._level == 1 and self._titled and not self.found.blocks:
                self.found.title = "".join(run.text for run in runs)
            elif _trimmed(runs):
                self.found.blocks.append(classified(runs, self._level))


def _with_children(tokens: list[Token]) -> Iterator[Token]:
    for token in tokens:
        yield token
        yield from token.children or ()


def _inline(token: Token, found: Gathered) -> list[list[Run]]:
    """The lines of an inline token as runs; a hard break begins a new line."""
    lines: list[list[Run]] = [[]]
    strong = 0
    for child in token.children or ():
        match child.type:
            case "strong_open":
                strong += 1
            case "strong_close":
                strong -= 1
            case "hardbreak":
                lines.append([])
            case "softbreak":
                # Chinese lines are joined without a space, words with one.
                last = lines[-1][-1].text[-1:] if lines[-1] else ""
                lines[-1].append(Run(" " if last.isascii() else ""))
            case "image":
                found.left_out["图片"] = None
                lines[-1].append(Run(child.content))
            case "link_open":
                found.left_out["链接地址"] = None
            case _ if child.content:
                lines[-1].append(Run(child.content, strong > 0))
            case _:
                pass  # Emphasis and the ends of links: printed without a sign of their own.
    return lines
