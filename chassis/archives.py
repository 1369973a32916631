"""Zip archives of strangers, judged by their own directory before anything is unpacked.

An office file is an archive as well, so what a .docx may hold follows from here too. Nothing is ever written to a disk by an
entry's name; a name that would lead elsewhere is refused all the same, because whoever downloads the file will unpack it.
"""

from __future__ import annotations

import re
import stat
import struct
import tempfile
import zipfile
import zlib
from collections.abc import Iterator
from typing import BinaryIO

ENTRIES = 2_000
UNPACKED = 256 << 20  # bytes, all entries together
RATIO = 200  # unpacked : packed, for anything over a megabyte
NESTING = 2  # archives in an archive: a table in a report in a .zip
NESTED = 48 << 20  # bytes of inner archives, which have to be unpacked to be judged
XML = 12 << 20  # bytes of one XML part
TAGS = 400_000  # of all XML parts of an office file: each becomes an object of a parser
START = b"PK\x03\x04"
_DIRECTORY = ENTRIES * 256  # bytes; the directory itself could be the bomb
_FLAG_ENCRYPTED = 1
_MEGABYTE = 1 << 20
_BAD_NAME = re.compile(r"(?:^|[/\\])\.\.(?:[/\\]|$)|^[/\\]|^[A-Za-z]:|[\x00-\x1f]|\\\\")


class Refused(ValueError):
    """An archive that nobody shall open. reason: UPPER_SNAKE_CASE; zh: a sentence for the person who sent it."""

    def __init__(self, reason: str, zh: str) -> None:
        super().__init__(zh)
        self.reason, self.zh = reason, zh


def check(file: BinaryIO) -> list[zipfile.ZipInfo]:
    """The entries of a harmless archive; `file` is read by position and stays open.

    Raises Refused: damaged, encrypted, too large unpacked, too many entries, overlapping entries, links, names that lead out of
    the folder, archives in archives beyond NESTING.
    """
    return _check(file, 0, [NESTED])


def _check(file: BinaryIO, depth: int, left: list[int]) -> list[zipfile.ZipInfo]:
    try:
        size = _directory(file)
        with zipfile.ZipFile(file) as archive:
            entries = archive.infolist()
            _judge(entries, size)
            for entry in entries:
                if _holds_archive(archive, entry):
                    _check_inner(archive, entry, depth, left)
    except Refused:
        raise
    # RuntimeError: encrypted; NotImplementedError: a compression that no office program uses; ValueError: places before the file.
    except (
        zipfile.BadZipFile,
        zlib.error,
        EOFError,
        OSError,
        RuntimeError,
        struct.error,
        ValueError,
    ) as problem:
        raise damaged() from problem
    return entries


def _directory(file: BinaryIO) -> int:
    """The archive's size, once it is known that its directory is small enough to be read."""
    # Python's own reading of the end record, so that no other reading of it can be played off against this one.
    end = zipfile._EndRecData(file)  # type: ignore[attr-defined] # noqa: SLF001
    if not end:
        raise damaged()
    if end[4] > ENTRIES or end[5] > _DIRECTORY:
        raise too_large()
    return int(file.seek(0, 2))


def _judge(entries: list[zipfile.ZipInfo], size: int) -> None:
    unpacked = sum(entry.file_size for entry in entries)
    packed = sum(entry.compress_size for entry in entries)
    if (
        len(entries) > ENTRIES
        or unpacked > UNPACKED
        or (unpacked > _MEGABYTE and unpacked > RATIO * max(1, packed))
    ):
        raise too_large()
    if any(entry.flag_bits & _FLAG_ENCRYPTED for entry in entries):
        raise Refused("FILE_ENCRYPTED", "文件设有密码，请取消密码后再上传。")
    names = [entry.orig_filename for entry in entries]
    if any(_BAD_NAME.search(name) for name in names) or any(map(_is_link, entries)):
        raise Refused("FILE_HOSTILE", "压缩包中含有不安全的文件名或链接，已拒绝。")
    if len(set(names)) != len(names) or _overlap(entries, size):
        raise Refused("FILE_HOSTILE", "压缩包结构异常，已拒绝。")


def _is_link(entry: zipfile.ZipInfo) -> bool:
    mode = stat.S_IFMT(entry.external_attr >> 16)
    return mode not in (0, stat.S_IFREG, stat.S_IFDIR)


def _overlap(entries: list[zipfile.ZipInfo], size: int) -> bool:
    """Whether entries share bytes, by which a small archive claims huge content."""
    # 30 bytes: a local header without its name; its true length is at least that.
    places = sorted(
        (entry.header_offset, entry.header_offset + 30 + entry.compress_size) for entry in entries
    )
    ends = [*(start for start, _ in places[1:]), size]
    return any(end > following for (_, end), following in zip(places, ends, strict=True))


def _holds_archive(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> bool:
    with archive.open(entry) as stream:
        return stream.read(4) == START


def _check_inner(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, depth: int, left: list[int]) -> None:
    left[0] -= entry.file_size
    if depth + 1 > NESTING or left[0] < 0:
        raise Refused("FILE_HOSTILE", "压缩包层层嵌套或过大，请直接上传其中的文件。")
    with tempfile.SpooledTemporaryFile(_MEGABYTE) as inner, archive.open(entry) as stream:
        while piece := stream.read(_MEGABYTE):
            inner.write(piece)
        _check(inner, depth + 1, left)  # type: ignore[arg-type]


def check_office(file: BinaryIO) -> None:
    """Judge an office file (docx, xlsx, pptx) whose XML parts will be parsed: besides `check`, no DTD, no hidden encoding, no flood of tags.

    Raises Refused.
    """
    entries, tags = check(file), TAGS
    with zipfile.ZipFile(file) as archive:
        for content in _xml_parts(archive, entries):
            tags -= content.count(b"<")
            if tags < 0:
                raise too_large()
            check_xml(content)


def _xml_parts(archive: zipfile.ZipFile, entries: list[zipfile.ZipInfo]) -> Iterator[bytes]:
    # A parser goes by content type, which may name any part XML: all are held to be XML unless they are clearly something else.
    try:
        for entry in entries:
            with archive.open(entry) as stream:
                head = stream.read(16)
            markup = head.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"<") or b"<\0" in head or b"\0<" in head
            if markup or entry.filename.lower().endswith((".xml", ".rels", ".vml", ".svg")):
                if entry.file_size > XML:
                    raise too_large()
                yield archive.read(entry)
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError, RuntimeError, struct.error) as problem:
        raise damaged() from problem


def check_xml(content: bytes) -> None:
    """Refuse XML with a DTD (entities, fetches), with inclusions, or in an encoding in which these could hide. Raises Refused."""
    declared = re.match(
        rb"\s*<\?xml[^>]*?encoding\s*=\s*[\"']([^\"']*)", content.removeprefix(b"\xef\xbb\xbf")
    )
    plain = b"\0" not in content and (
        not declared or declared[1].lower() in {b"utf-8", b"us-ascii", b"ascii"}
    )
    bad = (b"<!DOCTYPE", b"<!ENTITY", b"http://www.w3.org/2001/XInclude")
    if not plain or any(mark in content for mark in bad):
        raise Refused("FILE_HOSTILE", "文件含有不允许的内容（外部引用），已拒绝。")


def too_large() -> Refused:
    """Refusal by size: claimed, unpacked, or by number."""
    return Refused("FILE_TOO_LARGE", "文件展开后过大，已拒绝。")


def damaged() -> Refused:
    """Refusal of what is no whole archive."""
    return Refused("FILE_UNREADABLE", "文件已损坏，无法读取。")
