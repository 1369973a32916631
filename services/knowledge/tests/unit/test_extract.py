"""Text out of files: encodings, limits, and what is no file at all."""

from __future__ import annotations

import io
import time
import zipfile

import docx
import pytest

from chassis.errors import InvalidInput
from services.knowledge import extract, extraction


def word(*paragraphs, table=()):
    document = docx.Document()
    for paragraph in paragraphs:
        document.add_paragraph(paragraph)
    if table:
        made = document.add_table(rows=len(table), cols=len(table[0]))
        for cells, texts in zip(made.rows, table, strict=True):
            for cell, text in zip(cells.cells, texts, strict=True):
                cell.text = text
    out = io.BytesIO()
    document.save(out)
    return out.getvalue()


def archive(parts, method=zipfile.ZIP_DEFLATED):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as made:
        for name, data in parts:
            made.writestr(name, data)
    return out.getvalue()


def refused(kind, data):
    with pytest.raises(InvalidInput) as problem:
        extract.extract(kind, data)
    return problem.value.reason


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030", "utf-16"])
def test_every_usual_encoding_is_read(encoding):
    assert extract.decode("第一条　为了规范\r\n管理\r".encode(encoding)) == "第一条　为了规范\n管理\n"


@pytest.mark.parametrize("data", [bytes(range(256)), b"\x00\x01\x02", b"\xff\xfe\x00\xd8", b"MZ\x90\x00\x03"])
def test_what_is_no_text_is_refused(data):
    assert refused("txt", data) == "FILE_UNREADABLE"


def test_empty_unknown_and_too_long_files_are_told_apart():
    assert refused("md", b"") == "FILE_EMPTY"
    assert refused("exe", b"MZ") == "FILE_KIND"
    assert refused("txt", b"a" * (extract.TEXT_BYTES + 1)) == "FILE_TOO_LARGE"
    assert refused("txt", b"a" * (extract.TEXT_CHARS + 1)) == "FILE_TOO_LARGE"


def test_a_word_file_gives_paragraphs_and_tables_in_their_order():
    found = extract.extract(
        "docx", word("关于防汛的通知", "各单位：", table=[["姓名", "电话"], ["张三", "1"]])
    )
    assert found.text == "关于防汛的通知\n各单位：\n姓名\t电话\n张三\t1"


def test_a_zip_bomb_is_refused_before_it_is_unpacked():  # check 24
    bomb = archive([("word/document.xml", b"0" * (60 << 20)), ("[Content_Types].xml", b"0" * (60 << 20))])
    started = time.process_time()
    assert refused("docx", bomb) == "FILE_TOO_LARGE"
    assert time.process_time() - started < 2
    assert refused(
        "docx", archive([(f"part{number}", b"") for number in range(5001)] + [("word/document.xml", b"")])
    )
    assert refused("docx", archive([("other", b"x")])) == "FILE_UNREADABLE"
    assert refused("docx", b"PK\x03\x04 not a zip") == "FILE_UNREADABLE"


def test_entities_of_a_word_file_are_not_followed():  # check 29
    good = word("正文")
    evil = b'<?xml version="1.0"?><!DOCTYPE d [<!ENTITY x SYSTEM "file:///etc/passwd">]>'
    parts = []
    with zipfile.ZipFile(io.BytesIO(good)) as made:
        for name in made.namelist():
            data = made.read(name)
            if name == "word/document.xml":
                body = data.partition(b"?>")[2]
                data = evil + body.replace("正文".encode(), b"&x;")
            parts.append((name, data))
    try:
        text = extract.extract("docx", archive(parts)).text
    except InvalidInput:
        return
    assert "root:" not in text


def test_html_gives_its_words_and_not_its_scripts():
    page = "<head><title>t</title></head><body><script>x()</script><p>第一 段</p><p>第二段</p></body>"
    assert extract.extract("html", page.encode()).text == "第一 段\n第二段"
    legacy = '<meta charset="gb2312"><p>国标</p>'.encode("gb18030")
    assert extract.extract("html", legacy).text == "国标"


@pytest.mark.parametrize("data", [b"no pdf", b"%PDF-1.7 nothing follows", b"%PDF-1.4\n" + b"\xff" * 5000])
def test_a_broken_pdf_is_refused(data):
    assert refused("pdf", data) in ("FILE_UNREADABLE", "FILE_EMPTY")


def test_marks_of_markdown_are_not_searched():
    text = "# 题目\n<!-- INFO END -->\n- **甲**[乙](http://x)\n> 丙 `丁`\n\n---\n"
    assert extract.plain(text, "markdown").split() == ["题目", "甲乙", "丙", "丁"]
    assert extract.plain("# 甲", "plain") == "# 甲"


def test_a_parser_works_in_a_process_of_its_own_and_its_refusals_come_back():
    assert extraction.text_of("通知.docx", word("甲")).text == "甲"
    with pytest.raises(InvalidInput) as problem:
        extraction.text_of("坏.pdf", b"%PDF-1.7 nothing")
    assert "PDF" in problem.value.zh


@pytest.mark.parametrize(
    ("name", "head", "expected"),
    [
        ("a.pdf", b"%PDF-1.7", "application/pdf"),
        ("a.pdf", b"<html>", "application/octet-stream"),
        ("a.html", b"%PDF-1.7 <script>", "application/octet-stream"),
        ("a.svg", b"<svg>", "application/octet-stream"),
        ("a.md", b"# a", "text/plain; charset=utf-8"),
        ("a.txt", b"\x00", "application/octet-stream"),
        ("a", b"", "application/octet-stream"),
    ],
)
def test_a_type_is_what_name_and_content_agree_on(name, head, expected):  # check 28
    assert extraction.media_type(name, head) == expected
