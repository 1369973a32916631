"""How much may be asked for and stored at a time."""

from __future__ import annotations

from collections.abc import Mapping

from chassis.errors import invalid


def page_size(asked: int, usual: int, most: int) -> int:
    """How many rows a page has: `usual` when nothing is asked, and never more than `most` (AIP-158).

    Raises InvalidInput when fewer than none are asked.
    """
    if asked < 0:
        raise invalid(page_size="每页条数不能是负数。")
    return min(asked or usual, most)


def too_long(texts: Mapping[str, tuple[str, str, int]]) -> dict[str, str]:
    """A sentence for each of these fields whose text is longer than allowed: field → (its Chinese name, text, most)."""
    return {
        field: f"{name}不能超过{most}字" for field, (name, text, most) in texts.items() if len(text) > most
    }
