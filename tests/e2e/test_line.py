"""The job of the README in a real browser: one login, one document from draft to filing, at 1440 and at 390 pixels."""

from __future__ import annotations

import io
import re
import time
import uuid
from pathlib import Path

import docx
import pypdfium2
import pytest
from playwright.sync_api import Page, expect

from tests.e2e.conftest import DESK, PHONE, Enter, Platform, fits, pick, picture

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(420)]
BODY = [
    "为做好城区冬季供暖工作，现就有关事项通知如下：",
    "一、压实责任",
    "（一）各单位主要负责人负总责。",
    "二、按时报送",
    "请于本月底前报送落实情况。",
]


def manuscript(folder: Path) -> Path:
    """A .docx as an office writes it."""
    file = docx.Document()
    for line in BODY:
        file.add_paragraph(line)
    path = folder / "正文.docx"
    file.save(path)
    return path


def press(page: Page, name: str) -> None:
    """Press the visible button of this name."""
    page.get_by_role("button", name=name, exact=True).locator("visible=true").first.click()


def go(page: Page, platform: Platform, path: str) -> None:
    """Open a page of the platform; it must not be wider than the screen."""
    page.goto(platform.url + path)
    fits(page)


def wait_for_todo(page: Page, title: str) -> float:
    """Seconds until the to-do stands on the home page, which is not reloaded."""
    began = time.monotonic()
    page.locator("#todo-list").get_by_text(title).first.wait_for(timeout=15_000)
    return time.monotonic() - began


def test_one_document_from_draft_to_filing(enter: Enter, platform: Platform, tmp_path: Path) -> None:  # noqa: PLR0915 - one story
    title = f"关于做好冬季供暖保障工作的通知（第{uuid.uuid4().int % 100_000}批）"
    clerk = enter("qfb.wenshu")
    expect(clerk.locator("#todo-list .todo, #todo-list .item, #todo-list li").first).to_be_visible()
    picture(clerk, "home")

    # Each of the four services opens with one click and no second login.
    for name, path in (
        ("公文", "/documents/"),
        ("会议", "/meetings/"),
        ("任务", "/tasks/"),
        ("知识", "/knowledge/"),
    ):
        clerk.goto(platform.url + "/")
        clerk.locator(f'nav a[href="{path}"]:visible').first.click()
        clerk.wait_for_url(re.compile(re.escape(platform.url + path)))
        assert "/id/" not in clerk.url, name
        fits(clerk)

    link = draft(clerk, platform, title, tmp_path)
    submit(clerk, "qfb.mishu")

    reviewer = enter("qfb.mishu")
    open_todo(reviewer, title)
    reviewer.fill('textarea[name="opinion"]:visible', "同意，请领导签发。")
    press(reviewer, "同意，转下一步")
    expect(reviewer.get_by_text("待签发").first).to_be_visible()

    leader = enter("qfb.zhuren", PHONE)
    fits(leader)
    picture(leader, "home-phone")
    open_todo(leader, title)
    fits(leader)
    expect(leader.get_by_text("各单位主要负责人负总责").first).to_be_visible()
    leader.fill('textarea[name="opinion"]:visible', "同意印发，请各单位抓好落实。")
    picture(leader, "sign-off-phone")
    press(leader, "签发")
    expect(leader.get_by_text(re.compile(r"云政办发〔\d{4}〕\d+号")).first).to_be_visible()

    # Three clerks sit before their home pages while the office dispatches.
    clerks = {
        unit: enter(f"{unit}.wenshu", PHONE if unit == "wjj" else DESK) for unit in ("fgw", "czj", "wjj")
    }
    for page in clerks.values():
        page.locator("#todo-list:not(:has(.portal-loading))").wait_for()
    clerk.goto(platform.url + link)
    number = clerk.get_by_text(re.compile(r"云政办发〔\d{4}〕\d+号")).first.inner_text()
    press(clerk, "核发")
    clerk.get_by_text("各单位办理情况").first.wait_for()
    seconds = max(wait_for_todo(page, title) for page in clerks.values())
    print(f"to-do on three other people's pages within {seconds:.2f} s of the office's own page")

    for unit in ("fgw", "czj", "wjj"):
        open_todo(clerks[unit], title)
        press(clerks[unit], "签收")
        press(clerks[unit], "登记")
        expect(clerks[unit].get_by_text(re.compile(r"收〔\d{4}〕\d+号")).first).to_be_visible()
    picture(clerks["fgw"], "incoming")

    # The office sees each unit, and urges one.
    clerk.reload()
    assert clerk.get_by_text("待分送").count() == 3
    clerk.get_by_role("button", name="催办").first.click()
    clerk.locator("dialog[open]").get_by_role("button", name="催办").click()
    expect(clerk.get_by_text("已催办 1 次")).to_be_visible()
    picture(clerk, "progress")
    clerks["fgw"].reload()
    expect(clerks["fgw"].get_by_text("来文单位催办").first).to_be_visible()

    handle(enter, clerks["fgw"], platform, title)
    for unit in ("czj", "wjj"):
        page = clerks[unit]
        page.reload()
        page.fill('textarea[name="opinion"]:visible', "请业务科办理。")
        pick(page, "handlers", "业务科")
        press(page, "分送")
        worker = enter(f"{unit}.yewu")
        open_todo(worker, title)
        if unit == "czj":
            send_back_and_again(worker, page, title)
        worker.fill('textarea[name="opinion"]:visible', "已办理完毕。")
        press(worker, "办理完毕")
        answer(page, title, f"{unit}已办理完毕。")

    clerk.goto(platform.url + link)
    expect(clerk.get_by_text("3 / 3 个单位已办结").first).to_be_visible(timeout=20_000)
    expect(clerk.get_by_text("已办结").first).to_be_visible()
    found_by_picture(clerk, clerks["fgw"], platform, title)
    found_in_knowledge(enter, clerk, platform, title, number)


def draft(page: Page, platform: Platform, title: str, folder: Path) -> str:
    """Draft with a body from .docx and an attachment; returns the document's path."""
    go(page, platform, "/documents/outgoing/new")
    page.fill('input[name="title"]', title)
    for unit in ("发展和改革局", "财政局"):
        pick(page, "addressees", unit)
    pick(page, "copies", "卫生健康局")
    page.set_input_files('input[name="body_file"]', manuscript(folder))
    attachment = folder / "任务分解表.txt"
    attachment.write_text("任务分解表\n一、供暖企业……\n", encoding="utf-8")
    page.set_input_files('input[name="files"]', attachment)
    page.check('input[name="reply_required"]')
    picture(page, "draft")
    page.get_by_role("button", name="下一步：送审").click()
    page.wait_for_url(re.compile(r"/documents/outgoing/[0-9a-f]{32}"))
    expect(page.get_by_text("任务分解表.txt").first).to_be_visible()
    expect(page.get_by_text("各单位主要负责人负总责").first).to_be_visible()
    return page.url.removeprefix(platform.url).partition("#")[0]


def submit(page: Page, reviewer: str) -> None:
    """Choose reviewer and leader by what the directory shows of them."""
    assert reviewer == "qfb.mishu"
    pick(page, "reviewers", "秘书科科长")
    pick(page, "leader", "主任", "区政府办")
    press(page, "送审")
    expect(page.get_by_text("审核中").first).to_be_visible()


def open_todo(page: Page, title: str) -> None:
    """Click the to-do on the home page."""
    if page.locator("#todo-list").count() == 0:
        page.goto(page.url.partition("/documents")[0] + "/")
    page.locator("#todo-list").get_by_text(title).first.click()
    page.wait_for_url(re.compile(r"/documents/"))
    fits(page)


def handle(enter: Enter, page: Page, platform: Platform, title: str) -> None:
    """Two divisions handle it, the first as 主办; the bureau's head is given it to read; the unit answers."""
    pick(page, "handlers", "综合科")
    pick(page, "handlers", "业务科")
    pick(page, "readers", "局长", "发改局")
    page.fill('textarea[name="opinion"]:visible', "请综合科牵头、业务科配合办理。")
    press(page, "分送")
    expect(page.get_by_text("主办 · 未办")).to_be_visible()
    for person, said in (("fgw.zonghe", "已制定保供方案。"), ("fgw.yewu", "已配合完成。")):
        worker = enter(person)
        open_todo(worker, title)
        worker.fill('textarea[name="opinion"]:visible', said)
        press(worker, "办理完毕")
        expect(worker.get_by_text(said).first).to_be_visible()
    head = enter("fgw.juzhang", PHONE)
    open_todo(head, title)
    press(head, "确认已阅")
    expect(head.get_by_role("button", name="确认已阅")).to_have_count(0)
    answer(page, title, "我局已全部落实到位。")


def send_back_and_again(worker: Page, clerk: Page, title: str) -> None:
    """The division sends it back with a reason; the clerk passes it on once more."""
    press(worker, "退回文书")
    worker.locator("dialog[open] textarea").fill("请明确牵头领导。")
    worker.locator("dialog[open]").get_by_role("button", name="退回", exact=True).click()
    expect(worker.get_by_text("请明确牵头领导。").first).to_be_visible()
    clerk.reload()
    press(clerk, "补充分送")
    pick(clerk, "handlers", "业务科")
    clerk.locator("dialog[open]").get_by_role("button", name="分送", exact=True).click()
    clerk.get_by_text("协办 · 未办").or_(clerk.get_by_text("主办 · 未办")).first.wait_for()
    worker.goto(worker.url.partition("/documents")[0] + "/")
    open_todo(worker, title)


def answer(page: Page, title: str, text: str) -> None:
    """The unit's clerk answers, if the unit owes an answer; a copy ends without."""
    page.reload()
    if page.get_by_role("button", name="答复", exact=True).count():
        page.fill('textarea[name="opinion"]:visible', text)
        press(page, "答复")
    expect(page.get_by_text("已办结").first).to_be_visible()


def found_by_picture(office: Page, unit: Page, platform: Platform, title: str) -> None:
    """A picture of the printed page's code opens the record: the office's, and the unit's own."""
    at = office.url
    go(office, platform, at.removeprefix(platform.url))
    href = office.get_by_role("link", name="下载 PDF").get_attribute("href")
    pdf = pypdfium2.PdfDocument(office.request.get(platform.url + str(href)).body())
    image = io.BytesIO()
    pdf[len(pdf) - 1].render(scale=200 / 72).to_pil().convert("L").rotate(1.5, fillcolor=255).save(
        image, "JPEG", quality=70
    )
    pdf[0].render(scale=100 / 72).to_pil().save(
        Path(__file__).parents[2] / "docs" / "pictures" / "printed.png"
    )
    for page in (office, unit):
        go(page, platform, "/documents/code")
        page.set_input_files(
            'input[name="picture"]',
            {"name": "照片.jpg", "mimeType": "image/jpeg", "buffer": image.getvalue()},
        )
        press(page, "查找公文")
        expect(page.get_by_role("heading", name=title)).to_be_visible()
    assert "/documents/incoming/" in unit.url


def found_in_knowledge(enter: Enter, clerk: Page, platform: Platform, title: str, number: str) -> None:
    """It is filed by itself, found by its text by those who may see it, and by nobody else."""
    words = title[-8:-1].partition("第")[2].removesuffix("批")
    hit = clerk.get_by_role("link", name=re.compile(re.escape(words)))
    for _ in range(20):
        go(clerk, platform, f"/knowledge/?q={words}")
        if hit.count():
            break
        clerk.wait_for_timeout(500)
    picture(clerk, "knowledge")
    hit.first.click()
    expect(clerk.get_by_text(number).first).to_be_visible()
    expect(clerk.get_by_text("签发").first).to_be_visible()
    fits(clerk)
    stranger = enter("jyj.wenshu")
    go(stranger, platform, f"/knowledge/?q={words}")
    assert stranger.get_by_role("link", name=re.compile(re.escape(words))).count() == 0
