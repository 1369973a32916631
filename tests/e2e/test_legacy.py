"""One click into old systems, and one log-out that closes all of it."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect

from tests.e2e.conftest import PHONE, Enter, Platform, fits, picture

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(180)]


def tile(page: Page, platform: Platform, name: str) -> None:
    """Click a tile of the home page."""
    page.goto(platform.url + "/")
    page.locator("#apps").get_by_text(name, exact=True).click()


def legacy(platform: Platform, host: str) -> re.Pattern[str]:
    """An address of a legacy site behind the edge."""
    return re.compile(re.escape(f"https://{host}.{platform.env['TONGBAN_APPS_DOMAIN']}/"))


def test_a_form_login_and_a_header_site_open_with_one_click_and_close_with_the_log_out(
    enter: Enter, platform: Platform
) -> None:
    page = enter("czj.juzhang")
    # The first time, the person states the account in the old system once.
    tile(page, platform, "公文档案查询")
    page.wait_for_url(re.compile(r"/apps/oldsite|apps\.localhost"))
    if "/apps/oldsite" in page.url:
        page.fill('input[name="username"]', "oa003")
        page.fill('input[name="password"]', "oldsite123")
        page.get_by_role("button", name=re.compile("^保存")).first.click()
        expect(page.get_by_role("link", name=re.compile("进入公文档案查询")).first).to_be_visible()
        picture(page, "credential")
        tile(page, platform, "公文档案查询")
    page.wait_for_url(legacy(platform, "oldsite"))
    expect(page.get_by_text("经办员003")).to_be_visible()
    page.get_by_role("link", name="公文查询").click()
    page.fill("input[name=kw]", "通知")
    page.get_by_role("button", name="查 询").click()
    expect(page.get_by_text("文号").first).to_be_visible()
    picture(page, "legacy")
    old = page.url

    # The browser holds the platform's cookie for this host only, never the old system's own.
    names = {cookie["name"] for cookie in page.context.cookies(old)}
    assert names == {"__Host-tongban-app"}

    tile(page, platform, "统计数据报表")
    page.wait_for_url(legacy(platform, "headersite"))
    expect(page.locator("#who")).to_have_text("czj.juzhang")
    header = page.url

    page.goto(platform.url + "/")
    page.locator('form[action="/auth/logout"]').evaluate("form => form.requestSubmit()")
    page.wait_for_url(re.compile("signed-out"))
    expect(page.get_by_text("您已安全退出")).to_be_visible()
    picture(page, "signed-out")
    for address in (old, header):
        page.goto(address)
        assert page.get_by_text("经办员003").count() == 0
        assert page.locator("#who").count() == 0
    page.goto(platform.url + "/documents/")
    page.wait_for_url(re.compile("/id/realms/"))
    expect(page.locator("#username")).to_be_visible()


def test_every_page_fits_a_phone_and_a_desk_and_shows_no_id(enter: Enter, platform: Platform) -> None:
    pages = [
        "/", "/apps", "/directory", "/me", "/notices", "/documents/incoming", "/documents/outgoing", "/documents/outgoing/new",
        "/documents/code", "/tasks/", "/meetings/", "/knowledge/", "/search?q=通知",
    ]  # fmt: skip
    raw = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-|[0-9a-f]{32}")
    for size in (None, PHONE):
        page = enter("qfb.wenshu", size) if size else enter("qfb.wenshu")
        for path in pages:
            reply = page.goto(platform.url + path)
            assert reply is not None and reply.ok, path  # noqa: PT018 - one fact
            fits(page)
            assert not raw.search(page.locator("body").inner_text()), path
            assert page.locator("h1").count() == 1, path
