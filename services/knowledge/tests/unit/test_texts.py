"""What names and texts tell, how files are named, how texts are shown, how streams are taken apart."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from flask import Flask
from tongban.knowledge.v1 import knowledge_pb2 as pb

from chassis.errors import InvalidInput, TooMuch
from services.knowledge import metadata, rpc
from services.knowledge.contents import clean_name, known_file
from services.knowledge.pages import browse, common, rendering
from services.knowledge.streams import Stream

REGULATION = """# 专利代理条例

1991年3月4日 中华人民共和国国务院令第76号发布

2018年11月6日 中华人民共和国国务院令第706号公布

<!-- INFO END -->

## 第一章 总则

第一条 为了规范专利代理行为，国务院令第1号不算。
"""


def test_a_regulation_tells_about_itself():
    told = metadata.tell("法规/专利代理条例(2018-11-06).md", REGULATION, "markdown")
    assert (told.title, told.issuer, told.document_number) == ("专利代理条例", "国务院", "国务院令第706号")
    assert told.date.isoformat() == "2018-11-05T16:00:00+00:00"
    assert metadata.china_year(told.date) == 2018
    assert metadata.excerpt(REGULATION, "markdown").startswith("第一条 为了规范")


@pytest.mark.parametrize(
    ("path", "text", "title"),
    [
        ("a.md", "## 头一个标题 ##\n正文", "头一个标题"),
        ("甲/乙.txt", "# 不是标题", "乙"),
        ("某条例（2020-13-45）.md", "", "某条例"),
        ("无日期.md", "没有标题", "无日期"),
    ],
)
def test_titles_come_from_the_name_or_the_first_heading(path, text, title):
    told = metadata.tell(path, text, "markdown" if path.endswith("md") else "plain")
    assert (told.title, told.date) == (title, None)


@pytest.mark.parametrize(
    ("given", "clean"),
    [
        ("../../etc/passwd", "passwd"),
        ("..\\..\\boot.ini", "boot.ini"),
        ("a\x00b\r\n.txt", "ab.txt"),
        ("..", "未命名"),
        ("", "未命名"),
        ("报告 1.pdf", "报告 1.pdf"),
        ('<b>"x"?.html', "bx.html"),
        ("x" * 500 + ".docx", "x" * 150 + ".docx"),
        ("/", "未命名"),
        ("\u202egpj.exe", "gpj.exe"),
    ],
)
def test_a_file_name_is_only_a_name(given, clean):  # check 26
    assert clean_name(given) == clean


@pytest.mark.parametrize(
    "evil",
    [
        "<script>alert(1)</script>",
        "[x](javascript:alert(1))",
        "[x](data:text/html,<script>)",
        "<img src=x onerror=alert(1)>",
        "![x](http://elsewhere/x.png)",
        "<a href='x' onclick='y'>z</a>",
        "[x](vbscript:y)",
        "<svg onload=alert(1)>",
        "<!-- --><iframe src=//evil>",
        "[x]( javascript:alert(1))",
        "<style>*{}</style>",
    ],
)
def test_no_text_becomes_anything_that_runs_or_loads(evil):
    for form in ("markdown", "plain"):
        html = str(rendering.render(evil, form).html).lower()
        tags = [part.partition(">")[0] for part in html.split("<")[1:]]
        assert all(tag.strip("/").split()[0] in rendering._TAGS for tag in tags)
        assert not any(
            word in tag for tag in tags for word in ("script:", "onerror", "onclick", "data:", "src=")
        )


def test_a_text_has_its_contents_and_not_its_title_twice():
    made = rendering.render("# 中华人民共和国某条例\n\n## 第一章\n\n甲\n\n## 第二章\n", "markdown", "某条例")
    assert [one.title for one in made.headings] == ["第一章", "第二章"]
    assert '<h2 id="s1">第一章</h2>' in made.html
    assert "某条例" not in made.html


def test_an_endless_text_is_cut():
    made = rendering.render("甲" * (rendering.LONGEST + 5), "plain")
    assert made.cut
    assert len(made.html) < rendering.LONGEST + 20


def test_what_was_found_is_marked_and_the_rest_escaped():
    snippet = pb.Snippet(text="<b>防汛</b>值守", ranges=[pb.Range(start=3, end=5)])
    assert common.marked(snippet) == "&lt;b&gt;<mark>防汛</mark>&lt;/b&gt;值守"


def part(**one):
    return pb.UploadItemRequest(**one)


def test_a_stream_is_taken_apart_in_its_order():
    header, file = pb.UploadHeader(title="t"), pb.FileStart(name="a")
    stream = Stream(
        [
            part(header=header),
            part(file=file),
            part(chunk=b"1"),
            part(chunk=b"2"),
            part(file=pb.FileStart(name="b")),
        ]
    )
    assert stream.header().title == "t"
    assert stream.first_name() == "a"
    assert [(name, b"".join(pieces)) for name, pieces in stream.files()] == [("a", b"12"), ("b", b"")]


@pytest.mark.parametrize("messages", [[], [part(chunk=b"1")], [part()]])
def test_a_stream_without_a_header_is_refused(messages):
    with pytest.raises(InvalidInput):
        Stream(messages).header()


def test_parts_out_of_order_are_refused():
    stream = Stream([part(header=pb.UploadHeader()), part(chunk=b"1")])
    stream.header()
    with pytest.raises(InvalidInput):
        list(stream.files())


def test_chunks_end_at_the_limit():
    with pytest.raises(TooMuch):
        Stream([part(chunk=b"12"), part(chunk=b"34")]).rest(3)


def test_every_method_stands_in_the_table_of_callers():
    methods = {method.name for method in pb.DESCRIPTOR.services_by_name["KnowledgeService"].methods}
    assert set(rpc.WHO) == methods
    assert all(hasattr(rpc.Knowledge, name) for name in methods)


def test_an_empty_file_of_earlier_days_is_filed_and_handed_out(monkeypatch):
    class Nothing:
        def read(self, _digest):
            return iter(())

    assert known_file(Nothing(), "空.txt", "d", 0).media_type == "text/plain; charset=utf-8"
    monkeypatch.setattr(browse, "knowledge", SimpleNamespace(ReadItemFile=lambda _request: iter(())))
    with Flask(__name__).test_request_context("/?view=1"):
        answer = browse.download("item", "d", "空.txt")
        assert (answer.get_data(), answer.mimetype) == (b"", "application/octet-stream")
