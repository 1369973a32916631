"""A stranger's file name as a bare name: nothing in it leads anywhere, on this system or on the one that downloads it."""

from __future__ import annotations

import unicodedata

LENGTH = 170  # characters: 510 bytes of Chinese
_SUFFIX = 20
_FORBIDDEN = frozenset('<>:"/\\|?*')
# Devices of Windows, which a file of that name would open.
_DEVICES = {
    "CON",
    "PRN",
    "AUX",
    "NUL",
    "CLOCK$",
    *(f"{port}{number}" for port in ("COM", "LPT") for number in range(10)),
}


def bare(name: str) -> str:
    """The name without folders, drives, control and direction characters and device names; '' when nothing remains."""
    name = unicodedata.normalize("NFC", name.replace("\\", "/").rpartition("/")[2])
    kept = (
        one
        for one in name
        if one not in _FORBIDDEN and one.isprintable() and unicodedata.category(one)[0] != "C"
    )
    name = "".join(kept).strip(" .~-")
    stem, dot, suffix = name.rpartition(".")
    if len(name) > LENGTH:
        name = f"{stem[: LENGTH - _SUFFIX]}{dot}{suffix[: _SUFFIX - 1]}" if stem else name[:LENGTH]
    return f"_{name}" if name.partition(".")[0].strip().upper() in _DEVICES else name
