"""Cells of tables that leave the house (CSV, spreadsheets): a text never becomes a formula there."""

from __future__ import annotations

# What spreadsheet programs take for the beginning of a formula or a command, full-width forms included.
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "|", "%", "＝", "＋", "－", "＠")


def safe_cell(value: object) -> str:
    """`value` as the content of one cell. Numbers stay numbers; a text that a program would compute begins with an apostrophe.

    Line ends and control characters become spaces, so that one record stays one line.
    """
    if value is None:
        return ""
    if isinstance(value, bool | int | float):
        return str(value)
    text = "".join(sign if sign.isprintable() else " " for sign in str(value))
    # Some programs skip blanks and signs that nobody sees before they look for a formula.
    begins = text.lstrip(" \u3000\xa0'\"").startswith(_FORMULA) or str(value).startswith(_FORMULA)
    return f"'{text}" if begins else text
