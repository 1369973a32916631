"""A meeting called in one step in a real browser: notice, room, receipts; a clash is refused with who has the room."""

from __future__ import annotations

import random
import re
import uuid
from datetime import UTC, datetime, timedelta

import pytest
from playwright.sync_api import Page, expect

from tests.e2e.conftest import PHONE, Enter, Platform, fits, pick, picture

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(180)]


def call(page: Page, platform: Platform, title: str, day: str, hour: int) -> None:
    """Fill in the one form and send the notice."""
    page.goto(platform.url + "/meetings/new")
    page.fill('input[name="title"]', title)
    page.fill('input[name="date"]', day)
    page.select_option('select[name="start"]', f"{hour:02}:00")
    page.select_option('select[name="end"]', f"{hour + 1:02}:00")
    page.get_by_text("第二会议室").first.click()
    pick(page, "units", "发展和改革局", "云溪区发展和改革局")
    pick(page, "units", "财政局", "云溪区财政局")
    page.get_by_role("button", name="发出会议通知").click()


def test_a_meeting_is_called_in_one_step_and_every_unit_answers(enter: Enter, platform: Platform) -> None:
    title = f"第{uuid.uuid4().int % 100_000}次安全生产调度会"
    # A time of its own, so that repeated runs on one platform do not clash.
    day, hour = datetime.now(UTC) + timedelta(days=random.randint(20, 300)), random.randint(8, 20)
    office = enter("qfb.wenshu")
    call(office, platform, title, f"{day:%Y-%m-%d}", hour)
    expect(office.get_by_role("heading", name=title)).to_be_visible()
    fits(office)

    unit = enter("fgw.wenshu", PHONE)
    unit.locator("#todo-list").get_by_text(title).first.click()
    unit.wait_for_url(re.compile("/meetings/"))
    fits(unit)
    pick(unit, "attendees", "局长")
    picture(unit, "receipt-phone")
    unit.get_by_role("button", name="参会", exact=True).click()
    expect(unit.get_by_role("button", name="修改回执")).to_be_visible()

    other = enter("czj.wenshu")
    other.locator("#todo-list").get_by_text(title).first.click()
    other.get_by_role("button", name="不能参会").click()
    other.locator("dialog[open] textarea").fill("与其他会议冲突。")
    other.locator("dialog[open]").get_by_role("button", name="提交").click()
    expect(other.get_by_role("cell", name="与其他会议冲突。")).to_be_visible()

    office.reload()
    expect(office.get_by_role("cell", name="与其他会议冲突。")).to_be_visible()
    picture(office, "meeting")

    # The room is taken now: the form says so before anybody sends it, and the server refuses in any case.
    office.goto(platform.url + "/meetings/new")
    office.fill('input[name="title"]', "同一时间的另一个会")
    office.fill('input[name="date"]', f"{day:%Y-%m-%d}")
    office.select_option('select[name="start"]', f"{hour:02}:30")
    office.select_option('select[name="end"]', f"{hour + 1:02}:30")
    expect(office.get_by_text(re.compile("已由.*预订")).first).to_be_visible()
