"""What may come in as a file: one table of kinds, by content and never by name, with the limits of each.

`received` is the one place where files enter: a file is counted, judged and scanned while it lies in a nameless temporary file,
and only then handed to the store. Whatever fails, nothing of it remains.
"""

from __future__ import annotations

import contextlib
import re
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import BinaryIO

from chassis import archives, filenames, virus
from chassis.errors import InvalidInput, TooMuch
from chassis.settings import number

LIMIT = 64 << 20  # bytes, unless TONGBAN_FILE_BYTES says otherwise
IN_MEMORY = 1 << 20  # bytes; more lies on the disk
_PIECE = 1 << 20
_OFFICE = "application/vnd.openxmlformats-officedocument."
_CONTROL = re.compile(rb"[\x00-\x08\x0e-\x1a\x1c-\x1f]")
# Beginning of the content → media type. What is not here, not a PDF, not an archive of ours and not text is refused.
_MAGIC = {
    b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1": "application/x-ole-storage",  # doc, xls, ppt, wps, et, dps
    b"\x89PNG\r\n\x1a\n": "image/png",
    b"\xff\xd8\xff": "image/jpeg",
    b"GIF87a": "image/gif",
    b"GIF89a": "image/gif",
    b"II*\x00": "image/tiff",
    b"MM\x00*": "image/tiff",
    b"BM": "image/bmp",
}
# An entry that an archive of this kind holds → media type; the first that fits.
_ARCHIVES = {
    "OFD.xml": "application/ofd",
    "word/document.xml": f"{_OFFICE}wordprocessingml.document",
    "xl/workbook.xml": f"{_OFFICE}spreadsheetml.sheet",
    "ppt/presentation.xml": f"{_OFFICE}presentationml.presentation",
    "content.xml": "application/vnd.oasis.opendocument",
}
_MARKS_OF_UTF16 = (b"\xff\xfe", b"\xfe\xff")


@dataclass(frozen=True)
class Received:
    """A file that is in. media_type: what its content proves, so never HTML or SVG, which are text to us."""

    file: BinaryIO
    size: int
    media_type: str

    def pieces(self) -> Iterator[bytes]:
        """The content once more, from the beginning, in pieces of 1 MB."""
        self.file.seek(0)
        while piece := self.file.read(_PIECE):
            yield piece


@contextlib.contextmanager
def received(parts: Iterable[bytes], *, name: str = "", own: bool = False) -> Iterator[Received]:
    """Take a file in. own: made by the platform itself, such as a printed page, or let in before: so its kind is not asked.

    Raises TooMuch beyond the limit, InvalidInput for an empty file, a kind that is not in the table or a hostile archive,
    Forbidden for a virus, Unavailable when files are to be scanned and nobody scans. name: by which a sentence calls the file.
    """
    with tempfile.SpooledTemporaryFile(IN_MEMORY) as spool:
        file: BinaryIO = spool  # type: ignore[assignment]
        size = _written(parts, file)
        if not size and not own:
            called = f"“{shown}”" if (shown := filenames.bare(name)) else ""
            raise _refused("FILE_EMPTY", f"文件{called}是空的。")
        media_type = media_type_of(file, size, judge=not own)
        virus.scan(Received(file, size, media_type).pieces())
        yield Received(file, size, media_type)


def _written(parts: Iterable[bytes], file: BinaryIO) -> int:
    size, limit = 0, int(number("FILE_BYTES", LIMIT))
    for part in parts:
        size += len(part)
        if size > limit:
            shown = limit >> 20
            raise TooMuch(
                "FILE_TOO_LARGE", f"文件超过 {shown} MB 的上限。", f"A file may hold {shown} MB at most."
            )
        file.write(part)
    return size


def media_type_of(file: BinaryIO, size: int, *, judge: bool = True) -> str:
    """What the content is. judge: whether to refuse what is not in the table, and archives that are hostile.

    Raises InvalidInput.
    """
    file.seek(0)
    head = file.read(1024)
    found = next((kind for magic, kind in _MAGIC.items() if head.startswith(magic)), "")
    if head.startswith(b"RIFF") and head[8:12] == b"WEBP":
        found = "image/webp"
    elif not found and b"%PDF-" in head:
        found = "application/pdf"
    elif head.startswith((archives.START, b"PK\x05\x06")):
        found = _archive(file) if judge else "application/zip"
    elif not found and (size == 0 or _is_text(file)):
        found = "text/plain; charset=utf-8"
    if judge and not found:
        raise _refused(
            "FILE_KIND",
            "不支持这类文件。请上传 PDF、OFD、Word、Excel、PPT、WPS、图片、文本文件，或 zip 压缩包。",
        )
    return found or "application/octet-stream"


def _archive(file: BinaryIO) -> str:
    try:
        names = {entry.filename for entry in archives.check(file)}
    except archives.Refused as problem:
        raise _refused(problem.reason, problem.zh) from problem
    if any(name.rpartition("/")[2].lower() == "vbaproject.bin" for name in names):
        raise _refused("FILE_MACROS", "文件含有宏，请另存为不含宏的格式后再上传。")
    return next((kind for entry, kind in _ARCHIVES.items() if entry in names), "application/zip")


def _is_text(file: BinaryIO) -> bool:
    """Whether there is no control character in it that texts do not have; which encoding it is, its reader finds out."""
    file.seek(0)
    piece = file.read(_PIECE)
    if piece.startswith(_MARKS_OF_UTF16):
        return True
    if piece.startswith(b"#!"):
        return False
    while piece:
        if _CONTROL.search(piece):
            return False
        piece = file.read(_PIECE)
    return True


def _refused(reason: str, zh: str) -> InvalidInput:
    return InvalidInput(reason, zh, "This file is not accepted.", {"files": zh})
