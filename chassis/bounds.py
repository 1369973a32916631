"""How much may be asked for and stored at a time."""

from __future__ import annotations

from chassis.errors import invalid


def page_size(asked: int, usual: int, most: int) -> int:
    """How many rows a page has: `usual` when nothing is asked, and never more than `most` (AIP-158).

    Raises InvalidInput when fewer than none are asked.
    """
    if asked < 0:
        raise invalid(page_size="每页条数不能是负数。")
    return min(asked or usual, most)
