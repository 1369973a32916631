"""The typefaces of a printed document, and which characters they have.

The standard names 仿宋, 黑体, 楷体 and 小标宋; we print with the free Fandol family (Debian's
texlive-lang-chinese). Every further .otf/.ttf in the folder serves as fallback for rare characters, such as
those of personal names. System fonts are never used: the same sheet must give the same page everywhere.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import typst

from services.documents.printing.errors import FontsError

if TYPE_CHECKING:
    from collections.abc import Iterable


# Role on the page → font file of the Fandol family.
ROLES = {
    "fang": "FandolFang-Regular",  # 仿宋: body
    "hei": "FandolHei-Regular",  # 黑体: first headings, classification, urgency
    "kai": "FandolKai-Regular",  # 楷体: second headings, signers' names
    "title": "FandolSong-Bold",  # 小标宋: organ mark, title
    "song": "FandolSong-Regular",  # 宋体: page number
}


@dataclass(frozen=True)
class FontSet:
    """Fonts opened once per process: `families` maps a role to the typst families to try, best first."""

    typst: typst.Fonts
    families: dict[str, list[str]]
    characters: frozenset[int]

    def missing(self, texts: Iterable[str]) -> str:
        """The characters of `texts` that no font has, each once, in order of appearance."""
        seen = dict.fromkeys(character for text in texts for character in text)
        return "".join(c for c in seen if ord(c) not in self.characters)


def open_fonts(folder: Path) -> FontSet:
    """All fonts below `folder`. Raises FontsError when one of the five that the standard needs is missing."""
    return _open(folder.resolve())


@lru_cache(maxsize=4)
def _open(folder: Path) -> FontSet:
    # Fandol's Braille fonts stand in the same Debian folder and would answer for nothing but Braille.
    files = sorted(
        p for p in folder.rglob("*") if p.suffix.lower() in {".otf", ".ttf"} and "Braille" not in p.name
    )
    by_stem = {path.stem: path for path in files}
    lacking = [name for name in ROLES.values() if name not in by_stem]
    if lacking:
        raise FontsError(
            "FONTS_MISSING",
            f"字体目录缺少：{'、'.join(lacking)}。",
            f"Missing in {folder}: {', '.join(lacking)}.",
        )
    fonts = typst.Fonts(include_system_fonts=False, include_embedded_fonts=False, font_paths=[str(folder)])
    usable = {str(path) for path in files}
    family_of = {Path(info.path).stem: info.family for info in fonts.fonts() if info.path in usable}
    for name in ROLES.values():
        if name not in family_of:
            raise _damaged(by_stem[name])
    fandol = [family_of[ROLES[role]] for role in ("fang", "song", "kai", "hei")]
    fallback = dict.fromkeys([*fandol, *(family_of[stem] for stem in sorted(family_of))])
    families = {role: list(dict.fromkeys([family_of[name], *fallback])) for role, name in ROLES.items()}
    characters = frozenset().union(*(_characters(path) for path in files))
    return FontSet(fonts, families, characters)


def _damaged(path: Path) -> FontsError:
    return FontsError("FONT_DAMAGED", f"字体文件损坏：{path.name}。", f"{path.name} is damaged.")


def _characters(path: Path) -> frozenset[int]:
    """The code points in the font's cmap (OpenType 1.9, formats 4 and 12: all that Unicode fonts use)."""
    data = path.read_bytes()
    found: set[int] = set()
    try:
        (tables,) = struct.unpack_from(">H", data, 4)
        directory = {
            data[at : at + 4]: struct.unpack_from(">I", data, at + 8)[0]
            for at in range(12, 12 + 16 * tables, 16)
        }
        start = directory[b"cmap"]
        (count,) = struct.unpack_from(">H", data, start + 2)
        for record in range(count):
            platform, _, offset = struct.unpack_from(">HHI", data, start + 4 + 8 * record)
            if platform in (0, 3):  # Unicode, Windows: their code points are Unicode's.
                found |= _subtable(data, start + offset)
    except (struct.error, KeyError) as error:
        raise _damaged(path) from error
    return frozenset(found)


def _subtable(data: bytes, at: int) -> set[int]:
    (form,) = struct.unpack_from(">H", data, at)
    found: set[int] = set()
    if form == 12:
        (groups,) = struct.unpack_from(">I", data, at + 12)
        for group in range(groups):
            first, last, _ = struct.unpack_from(">III", data, at + 16 + 12 * group)
            found.update(range(first, min(last, 0x10FFFF) + 1))
    elif form == 4:
        (double,) = struct.unpack_from(">H", data, at + 6)
        ends = struct.unpack_from(f">{double // 2}H", data, at + 14)
        starts = struct.unpack_from(f">{double // 2}H", data, at + 16 + double)
        deltas = struct.unpack_from(f">{double // 2}H", data, at + 16 + 2 * double)
        base = at + 16 + 3 * double
        offsets = struct.unpack_from(f">{double // 2}H", data, base)
        for i, (first, last, delta, offset) in enumerate(zip(starts, ends, deltas, offsets, strict=True)):
            for code in range(first, last + 1):
                glyph = code
                if offset:
                    (glyph,) = struct.unpack_from(">H", data, base + 2 * i + offset + 2 * (code - first))
                if glyph and (glyph + delta) & 0xFFFF and code != 0xFFFF:
                    found.add(code)
    return found
