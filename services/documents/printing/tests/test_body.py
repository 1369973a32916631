"""Manuscripts become typed blocks, hostile ones an error with a sentence."""

import contextlib
import io
import time
import zipfile

import docx
import pytest
from docx.oxml import parse_xml
from docx.oxml.ns import nsdecls, qn
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chassis import archives
from services.documents.printing import numbering, word
from services.documents.printing.body import read_markdown, read_text
from services.documents.printing.errors import PrintingError, UnreadableTextError
from services.documents.printing.sheet import MAX_CHARACTERS, Heading, PageBreak, Paragraph, Run, Table


@pytest.mark.parametrize(
    ("line", "block"),
    [
        ("一、加强组织领导", Heading(1, "一、加强组织领导")),
        ("　　二十一、附则", Heading(1, "二十一、附则")),
        ("（一）落实责任。各单位要抓好落实。", Heading(2, "（一）落实责任。", "各单位要抓好落实。")),
        ("(二)落实责任", Heading(2, "(二)落实责任")),
        ("1.开展检查", Heading(3, "1.开展检查")),
        ("2．开展检查", Heading(3, "2．开展检查")),
        ("（3）整改", Heading(4, "（3）整改")),
        ("（一）具有完全民事行为能力；", Paragraph.of("（一）具有完全民事行为能力；")),
        ("一、原则同意《规划》，请认真组织实施。", Paragraph.of("一、原则同意《规划》，请认真组织实施。")),
        ("2026.5万元", Paragraph.of("2026.5万元")),
        ("1.5倍", Paragraph.of("1.5倍")),
        ("一是加强领导", Paragraph.of("一是加强领导")),
        ("正文", Paragraph.of("正文")),
    ],
)
def test_headings_are_recognised_by_their_numbers(line, block):
    assert read_text(line).blocks == (block,)


def test_blank_lines_vanish_and_form_feeds_break_pages():
    assert read_text("甲\r\n\r\n \n乙\f丙").blocks == (
        Paragraph.of("甲"), Paragraph.of("乙"), PageBreak(), Paragraph.of("丙"),
    )  # fmt: skip


def test_markdown():
    reading = read_markdown(
        "# 关于某事的通知\n\n## 一、总则\n\n普通**加粗**`代码`\n第二行\n\n"
        "1. 甲\n2. 乙\n\n- 丙\n\n> 引用\n\n| 序号 | 名称 |\n|---|---|\n| 1 | **局** |\n\n"
        "![图](x.png) [文](http://x)\n\n<script>alert(1)</script>\n"
    )
    assert reading.title == "关于某事的通知"
    assert reading.left_out == ("图片", "链接地址")
    assert reading.blocks == (
        Heading(1, "一、总则"),
        Paragraph((Run("普通"), Run("加粗", strong=True), Run("代码"), Run("第二行"))),
        Heading(3, "1.甲"), Heading(3, "2.乙"), Paragraph.of("丙"), Paragraph.of("引用"),
        Table((("序号", "名称"), ("1", "局"))),
        Paragraph((Run("图"), Run(" "), Run("文"))),
        Paragraph.of("<script>alert(1)</script>"),
    )  # fmt: skip


@pytest.mark.parametrize(
    "text",
    ["> " * 500 + "x", "- " * 300 + "x", "*" * 9_999, "[" * 4_999, "[" * 50_000, "`" * 50_000, "![" * 20_000],
)
def test_hostile_markdown_is_read_or_refused_in_time(text):
    start = time.monotonic()
    with contextlib.suppress(UnreadableTextError):
        read_markdown(text)
    assert time.monotonic() - start < 3


def test_nested_text_is_refused_rather_than_lost():
    with pytest.raises(UnreadableTextError):
        read_markdown("> " * 60 + "重要内容")


def test_too_long_is_refused():
    for read in (read_text, read_markdown):
        with pytest.raises(UnreadableTextError):
            read("长" * (MAX_CHARACTERS + 1))


@given(st.text(max_size=300))
def test_any_text_can_be_read(text):
    visible = "".join(text.split())
    found = "".join(getattr(b, "text", "") + getattr(b, "rest", "") for b in read_text(text).blocks)
    assert "".join(found.split()) == visible
    with contextlib.suppress(UnreadableTextError):
        read_markdown(text)


# ---- docx ----


def saved(document):
    out = io.BytesIO()
    document.save(out)
    return out.getvalue()


def rewritten(data, changes):
    """The archive with entries replaced or added."""
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as new:
        names = dict.fromkeys([*old.namelist(), *changes])
        for name in names:
            content = old.read(name) if name in old.namelist() else b""
            change = changes.get(name, content)
            new.writestr(name, change(content) if callable(change) else change)
    return out.getvalue()


@pytest.fixture
def document():
    return docx.Document()


def test_docx_paragraphs_headings_breaks_bold_and_tables(document):
    document.add_paragraph("关于某事的通知", style="Title")
    document.add_paragraph("　　一、总则")
    document.add_heading("无编号标题", 2)
    paragraph = document.add_paragraph("普通")
    paragraph.add_run("加粗").bold = True
    paragraph.add_run("不粗").bold = False
    document.add_page_break()
    table = document.add_table(2, 3)
    for cell, text in zip(table._cells, "甲乙丙丁戊己", strict=True):
        cell.text = text
    table.cell(0, 0).merge(table.cell(0, 1))
    reading = word.read_docx(saved(document))
    assert reading.title == "关于某事的通知"
    assert reading.blocks == (
        Heading(1, "一、总则"), Heading(2, "无编号标题"),
        Paragraph((Run("普通"), Run("加粗", strong=True), Run("不粗"))), PageBreak(),
        Table((("甲\n乙", "", "丙"), ("丁", "戊", "己"))),
    )  # fmt: skip
    assert reading.left_out == ()


def test_docx_tracked_changes_links_controls_and_what_is_left_out(document):
    xml = (
        f"<w:p {nsdecls('w')}><w:r><w:t>留</w:t></w:r>"
        "<w:del><w:r><w:delText>删</w:delText><w:t>删</w:t></w:r></w:del>"
        "<w:ins><w:r><w:t>增</w:t></w:r></w:ins><w:hyperlink><w:r><w:t>链</w:t></w:r></w:hyperlink>"
        "<w:r><w:footnoteReference w:id='2'/><w:drawing/></w:r><w:r><w:br/><w:t>次行</w:t></w:r></w:p>"
    )
    body = document.element.body
    body.insert(0, parse_xml(xml))
    control = (
        f"<w:sdt {nsdecls('w')}><w:sdtContent><w:p><w:r><w:t>控件</w:t></w:r></w:p></w:sdtContent></w:sdt>"
    )
    body.insert(1, parse_xml(control))
    reading = word.read_docx(saved(document))
    assert [block.text for block in reading.blocks] == ["留增链", "次行", "控件"]
    assert reading.left_out == ("脚注", "图片")


def test_docx_automatic_numbers_are_printed(document):
    root = document.part.numbering_part.element
    levels = [
        ("chineseCounting", "%1、"),
        ("chineseCounting", "（%2）"),
        ("decimal", "%3."),
        ("decimal", "%1.%3.%4"),
    ]
    xml = "".join(
        f"<w:lvl w:ilvl='{i}'><w:start w:val='1'/>"
        f"<w:numFmt w:val='{form}'/><w:lvlText w:val='{text}'/></w:lvl>"
        for i, (form, text) in enumerate(levels)
    )
    root.insert(0, parse_xml(f"<w:abstractNum {nsdecls('w')} w:abstractNumId='77'>{xml}</w:abstractNum>"))
    root.append(parse_xml(f"<w:num {nsdecls('w')} w:numId='77'><w:abstractNumId w:val='77'/></w:num>"))
    for text, depth in [("总则", 0), ("目的", 1), ("依据", 1), ("甲", 2), ("附则", 0), ("施行", 1)]:
        properties = document.add_paragraph(text)._p.get_or_add_pPr()
        number = properties.get_or_add_numPr()
        number.get_or_add_ilvl().set(qn("w:val"), str(depth))
        number.get_or_add_numId().set(qn("w:val"), "77")
    texts = [block.text for block in word.read_docx(saved(document)).blocks]
    assert texts == ["一、总则", "（一）目的", "（二）依据", "1.甲", "二、附则", "（一）施行"]


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (1, "一"),
        (10, "十"),
        (11, "十一"),
        (20, "二十"),
        (105, "一百〇五"),
        (110, "一百一十"),
        (1001, "一千〇一"),
        (2026, "二千〇二十六"),
    ],
)
def test_chinese_numbers(number, text):
    assert numbering.chinese(number) == text


@pytest.mark.parametrize(
    "attack",
    [
        lambda x: x.replace(b"<w:document", b'<!DOCTYPE w [<!ENTITY a "aaaa">]><w:document', 1),
        lambda x: x.replace(b"<w:document", b'<!DOCTYPE w SYSTEM "http://127.0.0.1:9/x.dtd"><w:document', 1),
        lambda x: x.decode().replace("UTF-8", "UTF-16").encode("utf-16"),
        lambda x: x.replace(b"UTF-8", b"UTF-7", 1),
        lambda _: b'<?xml version="1.0" encoding="UTF-8"?><a>' + b"<b>" * 3_000,
        lambda _: b"",
        lambda _: b"not xml",
        lambda x: x[: len(x) // 2],
    ],
)
def test_docx_with_entities_or_damage_is_refused(document, attack):  # check 29
    document.add_paragraph("正文")
    data = rewritten(saved(document), {"word/document.xml": attack})
    with pytest.raises(UnreadableTextError) as raised:
        word.read_docx(data)
    assert raised.value.zh


def test_docx_bombs_are_refused_quickly(document):  # check 24
    base = saved(document)
    bombs = (
        rewritten(base, {"word/media/zero.bin": bytes(60 << 20)}),
        rewritten(base, {"word/document.xml": b"<a>" + b" " * archives.XML + b"</a>"}),
        rewritten(base, {f"x{i}": b"" for i in range(archives.ENTRIES)}),
        bytes(word.MAX_ARCHIVE_BYTES + 1),
    )
    start = time.process_time()
    for bomb in bombs:
        with pytest.raises(UnreadableTextError) as raised:
            word.read_docx(bomb)
        assert raised.value.reason == "TEXT_TOO_LARGE"
    assert time.process_time() - start < 2


def test_docx_nested_beyond_reason_is_refused(document):
    xml = f"<w:sdt {nsdecls('w')}>" + "<w:sdt>" * 100 + "</w:sdt>" * 100 + "</w:sdt>"
    document.element.body.insert(0, parse_xml(xml))
    with pytest.raises(UnreadableTextError):
        word.read_docx(saved(document))


@settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_damaged_docx_never_crashes(data):
    document = docx.Document()
    document.add_paragraph("一、正文")
    document.add_table(1, 1)
    whole = bytearray(saved(document))
    for _ in range(data.draw(st.integers(1, 6))):
        whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    end = data.draw(st.integers(0, len(whole)) | st.just(len(whole)))
    with contextlib.suppress(PrintingError):
        word.read_docx(bytes(whole[:end]))


@given(st.binary(max_size=200))
def test_noise_is_no_docx(data):
    with pytest.raises(UnreadableTextError):
        word.read_docx(data)
