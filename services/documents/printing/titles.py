"""Breaking a title into lines by meaning, in the shape of a trapezium or a lozenge (GB/T 9704-2012 7.3.1)."""

from __future__ import annotations

import math
import unicodedata
from functools import cache

import rjieba

# 2号 characters of 22 pt in a line of 156 mm: 20 fit; lines of up to 18 look well.
WIDEST = 20.0
COMFORTABLE = 18.0
# What must not begin a line, and what must not end one.
NO_START = "、，。；：！？）》”〉】〕的了着与和及及其"
NO_END = "（《“〈【〔"
# A break here reads well even where the words alone would allow others.
GOOD_END = ("、", "，", "的", "》", "”", "关于", "转发", "印发")


def width(text: str) -> float:
    """Width in characters: a Latin letter or digit takes about half of one."""
    return sum(1.0 if unicodedata.east_asian_width(c) in "WFA" else 0.5 for c in text)


def lines(title: str, widest: float = WIDEST) -> list[str]:
    """The title's lines. Line breaks in it are kept; without, as few balanced lines as hold it."""
    if "\n" in title.strip():
        return [part for given in title.split("\n") if (part := given.strip())]
    title = title.strip()
    if not title:
        return []
    words = _words(title)
    total = width(title)
    fewest = max(1, math.ceil(total / (COMFORTABLE * widest / WIDEST)))
    for count in range(fewest, len(words) + 1):
        best = _broken(words, count, total / count, widest)
        if best:
            return best
    # A single word wider than a line: the page's own line breaking has to do.
    return [title]


def _words(title: str) -> list[str]:
    """The pieces between which a line may end."""
    pieces: list[str] = []
    for word in rjieba.cut(title):
        previous = pieces[-1] if pieces else ""
        glued = previous and (
            word[0] in NO_START
            or previous[-1] in NO_END
            # A date or a number keeps its unit; a short name of a document stays whole.
            or (previous[-1].isdigit() and word[0] in "年月日号届次期个项条")
            or (previous[-1] in "年月〕" and word[0].isdigit())
            or (previous.rfind("《") > previous.rfind("》") and width(previous) < WIDEST / 2)
        )
        if glued:
            pieces[-1] += word
        else:
            pieces.append(word)
    return pieces


def _broken(words: list[str], count: int, mean: float, widest: float) -> list[str]:
    """The best way to lay `words` into exactly `count` lines, or nothing when some line would be too wide."""
    # From three lines on the middle ones are the longest: a lozenge.
    swell = [1.0 if count < 3 else 0.9 + 0.2 * (0 < i < count - 1) for i in range(count)]

    @cache
    def best(start: int, line: int) -> tuple[float, tuple[int, ...]]:
        if line == count:
            return (0.0, ()) if start == len(words) else (float("inf"), ())
        found: tuple[float, tuple[int, ...]] = (float("inf"), ())
        wide = 0.0
        for end in range(start + 1, len(words) + 1):
            wide += width(words[end - 1])
            if wide > widest:
                break
            cost = (wide - mean * swell[line]) ** 2 + _awkward(words, end)
            rest, ends = best(end, line + 1)
            if cost + rest < found[0]:
                found = (cost + rest, (end, *ends))
        return found

    cost, ends = best(0, 0)
    if cost == float("inf"):
        return []
    starts = (0, *ends[:-1])
    return ["".join(words[a:b]).strip() for a, b in zip(starts, ends, strict=True)]


def _awkward(words: list[str], end: int) -> float:
    """How badly a line break before words[end] reads."""
    if end == len(words):
        return 0.0
    if words[end].startswith("关于"):
        return -6.0
    return 0.0 if words[end - 1].endswith(GOOD_END) else 4.0
