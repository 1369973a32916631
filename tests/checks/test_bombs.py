"""Bombs in every parser, each measured in a process of its own."""

from __future__ import annotations

import zipfile

import pytest

from tests.checks import bombs
from tests.checks.parsing import Case, measured

SECONDS, GROWTH = 2.0, 64 << 20
W = 'xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"'
DOCX = ("body.docx", "knowledge.docx")
ARCHIVES = (*DOCX, "upload")


def archives():
    """(name, bytes): what an archive can do to whoever opens it."""
    small = bombs.zeros(1)
    yield "10 GB of zeros, lying about it", bombs.zero_archive(10, claimed=1000)
    yield "4 GB of zeros, admitted", bombs.zero_archive(10)
    overlapping = bombs.raw_archive([("word/document.xml", small, 1 << 30, 0)], copies=250)
    yield "250 overlapping entries of 1 GB", overlapping
    quiet = bombs.raw_archive([("word/document.xml", small[:100_000], 15_000_000, 0)], copies=16)
    yield "16 overlapping entries, each within the limits", quiet
    yield "42.zip: 6 levels", bombs.nested(6, 16, 1 << 20)
    yield (
        "wide: 17 inner archives of 4 MB",
        bombs.zipped(
            {f"{n}.zip": bombs.zipped({"0": bytes(200_000)}, zipfile.ZIP_STORED) * 16 for n in range(17)},
            zipfile.ZIP_STORED,
        ),
    )
    yield "20,000 entries", bombs.zipped((f"e{number}", b"") for number in range(20_000))
    yield "70,000 entries (zip64)", bombs.zipped((f"e{number}", b"") for number in range(70_000))
    yield "bzip2", bombs.zipped({"word/document.xml": bytes(30 << 20)}, zipfile.ZIP_BZIP2)
    yield "lzma", bombs.zipped({"word/document.xml": bytes(30 << 20)}, zipfile.ZIP_LZMA)
    yield "half an archive", bombs.plain_docx()[:-300]


def documents():
    """(name, bytes): Word files that are archives in good order."""
    flood = f"<w:document {W}><w:body>" + "<w:p/>" * 900_000 + "</w:body></w:document>"
    yield "900,000 empty paragraphs", bombs.docx_with({"word/document.xml": flood.encode()})
    # With noise between, so that no ratio gives it away.
    noisy = "".join(f'<w:p w:rsidR="{number * 2654435761 % 2**32:08X}"/>' for number in range(420_000))
    yield (
        "420,000 noisy paragraphs",
        bombs.docx_with(
            {"word/document.xml": f"<w:document {W}><w:body>{noisy}</w:body></w:document>".encode()}
        ),
    )
    deep = f"<w:document {W}><w:body>{'<w:sdt>' * 100_000}".encode()
    yield "100,000 levels deep", bombs.docx_with({"word/document.xml": deep})
    yield "one text of 50 MB", bombs.docx_with({"word/document.xml": b"<a>" + b" " * (50 << 20) + b"</a>"})
    yield "a medium of 100 MB of zeros", bombs.docx_with({"word/media/a.bin": bytes(100 << 20)})
    laughs = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 12))
    yield (
        "billion laughs",
        bombs.docx_with(
            {"word/document.xml": f'<!DOCTYPE d [<!ENTITY l0 "ha">{laughs}]><a>&l11;</a>'.encode()}
        ),
    )


def pdfs():
    """(name, bytes)."""
    whole = b"\x78\xda" + bombs.zeros(10) + b"\0\0\0\0"
    yield "10 GB of zeros", bombs.pdf_with(whole)
    yield (
        "zeros packed five times",
        bombs.pdf_with(
            bombs.deflated(bombs.deflated(bombs.deflated(bombs.deflated(whole)))), "/FlateDecode" * 5
        ),
    )
    yield "run length", bombs.pdf_with(bombs.deflated(b"\x81 " * (20 << 20)), "/FlateDecode/RunLengthDecode")
    text = bombs.deflated(b"BT /F 9 Tf (a) Tj ET\n" * 500_000)
    yield "11 MB of text on each of 2,000 pages", bombs.pdf_with(text, pages=2000)
    yield "a million pages", bombs.pdf_with(b"", pages=1).replace(b"/Count 1", b"/Count 999999999")
    yield "pages that hold each other", bombs.pdf_with(b"").replace(b"/Kids[4 0 R]", b"/Kids[2 0 R]")
    yield "brackets", bombs.pdf_with(bombs.deflated(b"[" * 1_000_000))


def texts():
    """(parser, name, bytes)."""
    for parser in ("body.md", "body.txt", "knowledge.md", "knowledge.txt"):
        yield parser, "60 MB", b"a" * (60 << 20)
    yield "body.md", "brackets", b"[" * 80_000
    yield "body.md", "quotes in quotes", b"> " * 60_000
    yield "body.md", "lists in lists", b"".join(b" " * (2 * n) + b"- a\n" for n in range(400))
    yield "knowledge.html", "60 MB", b"<p>" * (20 << 20)
    yield "knowledge.html", "a million levels deep", b"<div>" * 1_000_000
    yield "knowledge.html", "49,000 levels deep", b"<div>" * 49_000
    yield (
        "knowledge.html",
        "2,000,000 attributes",
        b"<p " + b" ".join(b"a%d=1" % n for n in range(700_000)) + b">a",
    )
    yield "json", "brackets", b"[" * 1_000_000
    yield "json", "names", b"{" + b",".join(b'"%d":1' % n for n in range(300_000)) + b"}"
    yield "code", "noise", b"^".join([b"GB0626-2005"] + [b"\x81" * 1000] * 2000)


@pytest.mark.timeout(120)
def test_bombs_are_refused_at_no_cost():
    """# check 24"""
    cases = [Case(f"{parser}: {name}", parser, data) for name, data in archives() for parser in ARCHIVES]
    cases += [Case(f"{parser}: {name}", parser, data) for name, data in documents() for parser in DOCX]
    cases += [
        Case(f"{parser}: {name}", parser, data) for name, data in pdfs() for parser in ("knowledge.pdf",)
    ]
    cases += [Case(f"{parser}: {name}", parser, data) for parser, name, data in texts()]
    found = measured(cases)
    wrong = {
        name: one
        for name, one in found.items()
        if one.seconds >= SECONDS or one.grown >= GROWTH or ":" in one.outcome or one.outcome == "accepted"
    }
    assert not wrong, "\n".join(f"{name}: {one}" for name, one in wrong.items())
    slowest, largest = max(one.seconds for one in found.values()), max(one.grown for one in found.values())
    print(
        f"check 24: {len(found)} bombs in {len({case.parser for case in cases})} parsers, all refused; at most {slowest:.2f} s of"
        f" processor and {largest >> 20} MB more memory"
    )
