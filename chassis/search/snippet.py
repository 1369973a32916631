"""Cutting the piece of a text that shows what was found."""

from dataclasses import dataclass

from chassis.search import text
from chassis.search.query import Phrase

SNIPPET = 120
"""About how many characters a snippet has."""


_MARGIN = 1_000


@dataclass(frozen=True)
class Snippet:
    """A piece of a text field around what was found; `ranges` are (start, end) in `text`, to highlight."""

    text: str
    ranges: tuple[tuple[int, int], ...]


def highlight(content: str, phrases: list[Phrase]) -> Snippet | None:
    """Cut a piece of the text around the first place of the longest phrase that is in it; None if none is."""
    phrases = sorted(phrases, key=len, reverse=True)
    patterns = [text.pattern(phrase) for phrase in phrases]
    # Folding a whole document takes a millisecond; where the words are written just so, their neighbourhood
    # is enough.
    at = content.find("".join(token for _, token in phrases[0]))
    base = max(0, at - _MARGIN)
    folded = text.fold(content[base : at + _MARGIN] if at >= 0 else content)
    if at >= 0 and not patterns[0].search(folded.text):
        base, folded = 0, text.fold(content)
    first = next((match for one in patterns if (match := one.search(folded.text))), None)
    if first is None:
        return None
    start, end = (base + offset for offset in folded.span(*first.span()))
    if len(content) <= SNIPPET:
        start, end = 0, len(content)
    else:
        around = max(0, SNIPPET - (end - start))
        start = max(0, start - around // 3)
        end = min(len(content), max(end, start + SNIPPET))
    spans: list[tuple[int, int]] = []
    for one in patterns:
        for match in one.finditer(folded.text, max(0, first.start() - _MARGIN), first.end() + _MARGIN):
            left, right = (base + offset - start for offset in folded.span(*match.span()))
            if left >= 0 and right <= end - start:
                spans.append((left, right))
    return Snippet(content[start:end], _merged(spans))


def _merged(spans: list[tuple[int, int]]) -> tuple[tuple[int, int], ...]:
    """Put ranges in order and join those that overlap."""
    merged: list[tuple[int, int]] = []
    for start, end in sorted(spans):
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((start, end))
    return tuple(merged)
