"""What can go wrong in printing, each with a sentence for people in Chinese and English.

Kept apart from `chassis.errors` so that this library needs no gRPC; the attributes bear the same names, so
the service turns one into the other by `InvalidInput(e.reason, e.zh, e.en)`.
"""

from __future__ import annotations


class PrintingError(Exception):
    """Base: `reason` (UPPER_SNAKE_CASE, stable), `zh` and `en` (one sentence each)."""

    def __init__(self, reason: str, zh: str, en: str) -> None:
        super().__init__(f"{reason}: {en}")
        self.reason = reason
        self.zh = zh
        self.en = en


class SheetError(PrintingError):
    """A sheet that cannot be printed as it stands: a form or size that the standard or our limits refuse."""


class FontsError(PrintingError):
    """The fonts that the standard asks for are not where they were said to be."""


class LayoutError(PrintingError):
    """The sheet is well-formed, but something on it does not fit on a page."""


class UnreadableTextError(PrintingError):
    """A manuscript (text, Markdown, docx) that is damaged, hostile or beyond the limits."""


class CodeError(PrintingError):
    """Fields that cannot become a two-dimensional code, or bytes that are not one."""


class PictureError(PrintingError):
    """An image or scan that is refused before it is decoded, or that cannot be decoded."""
