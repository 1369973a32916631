"""Text made fit for print, alone and inside of the nested data that the template reads."""

from __future__ import annotations

import re
import unicodedata
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

# Keys whose values are images or the PDF's metadata.
NOT_PRINTED = {"svg", "seal", "meta"}


def clean(text: str) -> str:
    """Text without what cannot be printed: control and format characters (bidi overrides) and surrogates.

    Tabs become spaces; line breaks stay.
    """
    text = unicodedata.normalize("NFC", text.replace("\r\n", "\n").replace("\r", "\n").replace("\t", " "))
    return "".join(c for c in text if c == "\n" or unicodedata.category(c) not in {"Cc", "Cf", "Cs"})


def breakable(text: str, longest: int = 20) -> str:
    """Text in which runs of letters without a place to break get one, so that none runs out of the area."""
    return re.sub(rf"[^\s\u200b\u2e80-\uffef]{{{longest}}}", lambda found: found[0] + "\u200b", text)


def strings(data: Any) -> Iterator[str]:
    """Every text that will be printed; layout breaks (newline, zero width space) are no characters."""
    match data:
        case str():
            yield data.replace("\n", "").replace("\u200b", "")
        case dict():
            for key, value in data.items():
                if key not in NOT_PRINTED:
                    yield from strings(value)
        case list():
            for value in data:
                yield from strings(value)


def replaced(data: Any, table: dict[int, str]) -> Any:
    """The data with characters of its printed texts exchanged by `table`."""
    match data:
        case str():
            return data.translate(table)
        case dict():
            return {k: v if k in NOT_PRINTED else replaced(v, table) for k, v in data.items()}
        case list():
            return [replaced(value, table) for value in data]
    return data
