"""Files made to hurt: bombs, archives with evil names, XML that wants to fetch, pictures that claim the world."""

from __future__ import annotations

import io
import struct
import zipfile
import zlib
from collections.abc import Iterable, Mapping
from functools import cache
from typing import Any

import docx
from PIL import Image

Parts = Mapping[str, bytes] | Iterable[tuple[Any, bytes]]


def zipped(parts: Parts, method: int = zipfile.ZIP_DEFLATED) -> bytes:
    """An archive of these entries, in their order; a key may be a ZipInfo."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as archive:
        for name, data in parts.items() if isinstance(parts, Mapping) else parts:
            archive.writestr(name, data, compress_type=method)
    return out.getvalue()


@cache
def plain_docx(text: str = "一、正文") -> bytes:
    """An honest Word file."""
    document, out = docx.Document(), io.BytesIO()
    document.add_paragraph(text)
    document.save(out)
    return out.getvalue()


def docx_with(changed: Mapping[str, bytes]) -> bytes:
    """An honest Word file with these parts in place of its own, or beside them."""
    with zipfile.ZipFile(io.BytesIO(plain_docx())) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    return zipped(parts | changed)


def xlsx_with(sheet: bytes) -> bytes:
    """A workbook with this sheet."""
    types = (
        b'<?xml version="1.0"?><Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types"/>'
    )
    return zipped(
        {"[Content_Types].xml": types, "xl/workbook.xml": b"<workbook/>", "xl/worksheets/sheet1.xml": sheet}
    )


@cache
def zeros(gigabytes: int) -> bytes:
    """A deflate stream of so many GB of zeros: one block of 16 MB, which stands for itself, again and again."""
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    block = packer.compress(bytes(16 << 20)) + packer.flush(zlib.Z_FULL_FLUSH)
    return block * (gigabytes * 64) + packer.flush()


def zero_archive(gigabytes: int, name: str = "word/document.xml", claimed: int | None = None) -> bytes:
    """An archive whose one entry unpacks to so many GB of zeros. claimed: the size that its directory admits to."""
    shown = min(gigabytes << 30 if claimed is None else claimed, 0xFFFFFFFE)
    return raw_archive([(name, zeros(gigabytes), shown, 0)])


def raw_archive(entries: list[tuple[str, bytes, int, int]], copies: int = 1) -> bytes:
    """An archive written by hand: (name, deflate stream, claimed size, CRC). copies: how often the directory names each."""
    body, directory, count = bytearray(), bytearray(), 0
    for name, packed, size, crc in entries:
        place, title = len(body), name.encode()
        common = struct.pack("<HHHHHIIIHH", 20, 0, 8, 0, 33, crc, len(packed), size, len(title), 0)
        body += b"PK\x03\x04" + common + title + packed
        for copy in range(copies):
            shown = title if copy == 0 else f"{name}{copy}".encode()
            head = struct.pack("<HHHHHIII", 20, 0, 8, 0, 33, crc, len(packed), size)
            directory += b"PK\x01\x02" + struct.pack("<H", 20) + head
            directory += struct.pack("<HHHHHII", len(shown), 0, 0, 0, 0, 0, place) + shown
            count += 1
    end = struct.pack("<HHHHIIH", 0, 0, count, count, len(directory), len(body), 0)
    return bytes(body + directory) + b"PK\x05\x06" + end


def nested(depth: int, width: int, size: int) -> bytes:
    """42.zip in small: `depth` archives in one another, `width` copies at each step, zeros at the bottom."""
    inner = zipped({"0.bin": bytes(size)})
    for level in range(depth):
        inner = zipped({f"lib{level}-{number}.zip": inner for number in range(width)})
    return inner


def pdf_with(
    stream: bytes, filters: str = "/FlateDecode", pages: int = 1, length: int | None = None
) -> bytes:
    """A PDF of pages that share one content stream."""
    kids = " ".join(f"{4 + number} 0 R" for number in range(pages))
    objects = [
        b"<</Type/Catalog/Pages 2 0 R>>",
        f"<</Type/Pages/Count {pages}/Kids[{kids}]>>".encode(),
        f"<</Length {len(stream) if length is None else length}/Filter[{filters}]>>stream\n".encode()
        + stream
        + b"\nendstream",
    ]
    font = b"/Resources<</Font<</F<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>>>>>"
    objects += [b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 9 9]" + font + b"/Contents 3 0 R>>"] * pages
    out, places = bytearray(b"%PDF-1.7\n"), []
    for number, one in enumerate(objects, 1):
        places.append(len(out))
        out += f"{number} 0 obj".encode() + one + b"endobj\n"
    start = len(out)
    out += f"xref\n0 {len(objects) + 1}\n0000000000 65535 f \n".encode()
    out += b"".join(f"{place:010} 00000 n \n".encode() for place in places)
    return bytes(out) + f"trailer<</Size {len(objects) + 1}/Root 1 0 R>>\nstartxref\n{start}\n%%EOF".encode()


def deflated(content: bytes) -> bytes:
    """As /FlateDecode wants it."""
    return zlib.compress(content, 9)


def huge_picture(kind: str, side: int) -> bytes:
    """A small file that claims side × side pixels."""
    out = io.BytesIO()
    if kind == "PNG":
        return _png(side)
    if kind == "GIF":
        return b"GIF89a" + struct.pack("<HH", min(side, 65535), min(side, 65535)) + b"\x80\0\0\0\0\0\xff\xff\xff," + bytes(4) + struct.pack("<HH", min(side, 65535), min(side, 65535)) + b"\0\x02\x02\x44\x01\0;"  # fmt: skip
    if kind == "BMP":
        header = struct.pack("<IiiHHIIiiII", 40, side, side, 1, 24, 0, 0, 0, 0, 0, 0)
        return b"BM" + struct.pack("<IHHI", 54 + 64, 0, 0, 54) + header + bytes(64)
    if kind == "TIFF":
        tags = [(256, 4, side), (257, 4, side), (258, 3, 8), (259, 3, 1), (262, 3, 1), (273, 4, 8), (277, 3, 1), (278, 4, side), (279, 4, 64)]  # fmt: skip
        found = b"".join(struct.pack("<HHII", tag, form, 1, value) for tag, form, value in tags)
        return b"II*\0" + struct.pack("<I", 72) + bytes(64) + struct.pack("<H", len(tags)) + found + bytes(4)
    Image.new("L", (64, 64)).save(out, kind)
    data = bytearray(out.getvalue())
    if kind == "JPEG":
        place = data.index(b"\xff\xc0") + 5
        data[place : place + 4] = struct.pack(">HH", min(side, 65000), min(side, 65000))
    elif kind == "WEBP":
        # A canvas of its own before the picture: 24 bits for each side.
        inner = bytes(data[12:])
        wide = min(side, 1 << 24) - 1
        canvas = (
            b"VP8X"
            + struct.pack("<I", 10)
            + bytes(4)
            + wide.to_bytes(3, "little")
            + wide.to_bytes(3, "little")
        )
        return b"RIFF" + struct.pack("<I", 4 + len(canvas) + len(inner)) + b"WEBP" + canvas + inner
    return bytes(data)


def _png(side: int, frames: int = 0) -> bytes:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0))
    animation = chunk(b"acTL", struct.pack(">II", frames, 0)) if frames else b""
    return (
        b"\x89PNG\r\n\x1a\n"
        + header
        + animation
        + chunk(b"IDAT", zlib.compress(bytes(side + 1)))
        + chunk(b"IEND", b"")
    )


def animated(kind: str, side: int, frames: int) -> bytes:
    """An animation of many large equal frames."""
    if kind == "APNG":
        return _png(side, frames)
    out = io.BytesIO()
    pictures = [Image.new("L", (side, side), number % 2) for number in range(frames)]
    pictures[0].save(out, kind, save_all=True, append_images=pictures[1:], loop=0)
    return out.getvalue()


def noisy_png(width: int, height: int, mode: str = "RGBA") -> bytes:
    """A real PNG of this size, of one colour: small on the wire, large in memory."""
    out = io.BytesIO()
    Image.new(mode, (width, height)).save(out, "PNG", compress_level=9)
    return out.getvalue()
