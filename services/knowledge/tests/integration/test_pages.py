"""The pages, from the browser's side of the edge to the database."""

from __future__ import annotations

import hashlib
import io
import re

import pytest

from services.knowledge.pages import app
from services.knowledge.tests.integration.conftest import AS
from services.knowledge.tests.integration.test_filing import concluded, there
from tests.browsing import Browser, said
from tests.inprocess import PlainVerifier, eventually

pytestmark = pytest.mark.integration
PDF = b"%PDF-1.4\n1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj trailer<</Root 1 0 R>>\n%%EOF"


@pytest.fixture
def browser(knowledge):
    return Browser(app(verifier=PlainVerifier(), directory=knowledge.parts.directory), AS)


def test_from_the_upload_form_to_the_hit_the_item_and_its_file(browser):
    browser.ask("/knowledge/new", "wenshu")
    refused = browser.post(
        "/knowledge/new", "wenshu", {"title": "没有类别", "text": "正文", "audience": "unit"}, 422
    )
    assert "请选择资料类别" in refused.text
    assert "没有类别" in refused.text
    form = {
        "title": "巡河<b>经验</b>",
        "kind": "experience",
        "audience": "chosen",
        "units": ["jtj"],
        "categories": "河湖、巡查",
        "date": "2025-03-01",
        "text": "# 做法\n\n每周**巡河**两次，发现紫薇。<script>alert(1)</script>\n[坏](javascript:alert(1))",
        "files": (io.BytesIO(PDF), "方案 1.pdf"),
    }
    at = browser.post("/knowledge/new", "wenshu", form).headers["Location"]
    page = browser.ask(at, "wenshu").text
    assert "<strong>巡河</strong>" in page
    assert "<script>alert" not in page
    assert 'href="javascript' not in page
    assert "巡河&lt;b&gt;经验" in page
    assert "2025年3月1日" in page
    # The item's page looked for similar ones, and has used up the wait for one's own write.
    found = eventually(
        lambda: (
            (text := browser.ask("/knowledge/?q=紫薇", "wenshu").text)
            and "<mark>紫薇</mark>" in text
            and text
        )
    )
    assert "河湖" in found
    assert eventually(lambda: at in browser.ask("/knowledge/?q=紫薇", "jiaotong").text)
    assert "没有找到" in browser.ask("/knowledge/?q=紫薇", "keyuan").text
    browser.ask(at, "keyuan", 404)

    link = re.search(r'href="(/knowledge/items/[^"]+\.pdf)"', page)[1]
    saved = browser.ask(link, "jiaotong")
    assert saved.data == PDF
    assert saved.headers["Content-Disposition"] == "attachment; filename*=UTF-8''%E6%96%B9%E6%A1%88%201.pdf"
    assert (saved.headers["X-Content-Type-Options"], saved.content_type) == ("nosniff", "application/pdf")
    assert "sandbox" in saved.headers["Content-Security-Policy"]
    viewed = browser.ask(link + "?view=1", "jiaotong")
    assert viewed.headers["Content-Disposition"].startswith("inline")
    assert viewed.headers["Content-Security-Policy"].startswith("default-src 'none'; sandbox;")
    browser.ask(link, "keyuan", 404)


def test_html_is_only_ever_saved_never_shown(browser):  # check 28
    evil = b"<html><script>alert(1)</script></html>"
    form = {"kind": "reference", "title": "网页", "text": "说明", "files": (io.BytesIO(evil), "a.html")}
    at = browser.post("/knowledge/new", "wenshu", form).headers["Location"]
    link = re.search(r'href="(/knowledge/items/[^"]+\.html)"', browser.ask(at, "wenshu").text)[1]
    for address in (link, link + "?view=1"):
        saved = browser.ask(address, "wenshu")
        assert saved.content_type == "application/octet-stream"
        assert saved.headers["Content-Disposition"].startswith("attachment")
        assert saved.headers["X-Content-Type-Options"] == "nosniff"
        assert saved.headers["Content-Security-Policy"] == "default-src 'none'; sandbox"


def test_edit_new_version_withdraw_and_restore(browser):
    at = browser.post(
        "/knowledge/new", "mishu", {"kind": "template", "title": "请示范文", "text": "甲稿"}
    ).headers["Location"]
    assert "修改信息" in browser.ask(at, "wenshu").text
    form = browser.ask(f"{at}/edit", "wenshu").text
    etag = re.search(r'name="etag" value="(\d+)"', form)[1]
    said_of = {
        "etag": etag,
        "title": "请示范文（新）",
        "kind": "template",
        "audience": "all",
        "categories": "范文",
    }
    browser.post(f"{at}/edit", "wenshu", said_of)
    browser.post(f"{at}/edit", "wenshu", said_of, 409)
    assert "请示范文（新）" in browser.ask(at, "keyuan").text
    assert "修改信息" not in browser.ask(at, "keyuan").text
    browser.ask(f"{at}/content", "mishu")
    browser.post(f"{at}/content", "mishu", {"etag": "2", "text": "乙稿", "note": "重写"})
    page = browser.ask(at, "keyuan").text
    assert "乙稿" in page
    assert "重写" in page
    assert "甲稿" in browser.ask(f"{at}?version=1", "keyuan").text
    assert "请示范文（新）" in browser.ask("/knowledge/mine", "mishu").text
    browser.post(f"{at}/withdraw", "keyuan", {}, 403)
    browser.post(f"{at}/withdraw", "wenshu", {})
    browser.ask(at, "keyuan", 404)
    assert "已撤下" in browser.ask(at, "mishu").text
    assert "请示范文（新）" in browser.ask("/knowledge/mine?state=withdrawn", "wenshu").text
    browser.post(f"{at}/restore", "mishu", {})
    browser.ask(at, "keyuan")


def test_a_filed_document_shows_its_course_and_takes_categories_only(knowledge, documents, browser):
    told = concluded(documents, title="关于抗旱的通知", files=(PDF,))
    knowledge.tell("documents", told)
    item = eventually(lambda: there(knowledge, told.document, "wenshu"))
    at = f"/knowledge/items/{item.item}"
    page = said(browser.ask(at, "wenshu"))
    for words in (
        "关于抗旱的通知",
        "云政办发〔2026〕7号",
        "办理过程",
        "签发",
        "同意",
        "wenshu同志",
        "附件0.pdf",
    ):
        assert words in page
    assert hashlib.sha256(PDF).hexdigest() in browser.ask(at, "wenshu").text
    browser.post(f"{at}/edit", "wenshu", {"etag": item.etag, "title": "改题", "categories": "抗旱"})
    assert "关于抗旱的通知" in browser.ask(at, "wenshu").text
    browser.ask(f"{at}", "keyuan", 404)


def test_facets_and_suggestions_of_the_search_page(browser):
    for number in range(3):
        form = {
            "kind": "training",
            "title": f"培训材料蓝花楹{number}",
            "text": "甲",
            "date": f"202{number}-01-01",
        }
        browser.post("/knowledge/new", "wenshu", form)
    page = browser.ask("/knowledge/?q=蓝花楹", "wenshu").text
    assert "学习培训" in page
    year = re.search(r'href="(/knowledge/\?[^"]*year=2021[^"]*)"', page)[1].replace("&amp;", "&")
    assert "1 项" in said(browser.ask(year, "wenshu"))
    assert 'value="培训材料蓝花楹' in browser.ask("/knowledge/suggest?q=蓝花", "wenshu").text
    assert browser.ask("/knowledge/suggest?q=蓝花", "keyuan").text == ""
    assert "没有找到" in browser.ask("/knowledge/?q=蓝花楹&kind=archive", "wenshu").text
    browser.ask("/knowledge/?q=，。", "wenshu", 422)
    browser.ask("/knowledge/?cursor=abc", "wenshu", 422)
    browser.ask("/knowledge/items/nothing", "wenshu", 404)
