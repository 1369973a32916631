"""The auditor in a real browser: who did what, one entry, the chain's state, and nobody else."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from tests.e2e.conftest import PHONE, Enter, Platform, fits
from tests.inprocess import eventually

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(180)]


def test_the_auditor_sees_what_was_done_and_nobody_else_does(enter: Enter, platform: Platform) -> None:
    """# check 74, 21"""
    other = enter("secadmin")
    answer = other.goto(platform.url + "/audit/")
    assert answer is not None
    assert answer.status == 403
    keeper = enter("sysadmin")
    answer = keeper.goto(platform.url + "/audit/")
    assert answer is not None
    assert answer.status == 403
    # Logged in over the page of Keycloak, so with the address that the edge saw.
    auditor = enter("auditor")
    auditor.locator("nav.nav").get_by_role("link", name="审计").click()
    expect(auditor.get_by_role("heading", name="审计记录", level=1)).to_be_visible()
    fits(auditor)
    auditor.goto(platform.url + "/audit/?service=gateway&action=Login")
    row = auditor.locator("#results tbody tr").first
    expect(row).to_contain_text("登录")
    expect(row).to_contain_text("127.0.0.1")

    # The refusals of the two others.
    def told() -> int:
        auditor.goto(platform.url + "/audit/?result=refused")
        return auditor.locator("#results").get_by_text("页面请求被拒绝").count()

    eventually(told, 60, pause=0.5)
    auditor.locator("#results tbody a").first.click()
    expect(auditor.get_by_role("heading", name="在记录链中")).to_be_visible()
    fits(auditor)
    with auditor.expect_download() as download:
        auditor.goto(platform.url + "/audit/?service=gateway")
        auditor.get_by_role("link", name="导出表格").click()
    assert download.value.path().read_text(encoding="utf-8-sig").startswith('"序号","时间"')


def test_the_chain_is_verified_by_a_button(enter: Enter, platform: Platform) -> None:
    """# check 75, 77: on the running platform."""
    auditor = enter("auditor", PHONE)
    auditor.goto(platform.url + "/audit/chain")
    expect(auditor.get_by_role("heading", name="记录链状态")).to_be_visible()
    auditor.get_by_role("button", name="立即校验").click()

    def verified() -> int:
        auditor.goto(platform.url + "/audit/chain")
        return auditor.get_by_text("记录链完好").count()

    eventually(verified, 60, pause=0.5)
    expect(auditor.get_by_text("记录链完好")).to_be_visible()
    fits(auditor)
    auditor.goto(platform.url + "/audit/")
    fits(auditor)
