"""A browser on the running platform, and people who log in with it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

PICTURES = Path(__file__).parents[2] / "docs" / "pictures"
LAST = Path(__file__).parents[2] / "build" / "e2e"
DESK, PHONE = {"width": 1440, "height": 900}, {"width": 390, "height": 844}
# Without these, Chromium asks for addresses outside of this machine.
FLAGS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
]  # fmt: skip


@dataclass(frozen=True)
class Platform:
    """Where the running platform is and how to get in."""

    url: str
    env: dict[str, str]

    @property
    def password(self) -> str:
        """The demonstration's password."""
        return (Path(self.env["TONGBAN_SECRETS"]) / "demo-password").read_text().strip()


@pytest.fixture(scope="session")
def platform(platform_env: dict[str, str]) -> Platform:
    """The platform of the test stack, or the one that runs already."""
    return Platform(platform_env["TONGBAN_PUBLIC_URL"], platform_env)


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Headless Chromium."""
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=FLAGS)
        yield chromium
        chromium.close()


Enter = Callable[..., Page]
# A number, a printed page, a picture that is read: on a busy machine they take longer than the five seconds that are usual.
expect.set_options(timeout=30_000)


@pytest.fixture
def enter(browser: Browser, platform: Platform) -> Iterator[Enter]:
    """enter("qfb.wenshu", PHONE) → a page on which this person is logged in, in a browser profile of their own."""
    contexts: list[tuple[str, BrowserContext]] = []
    complaints: list[str] = []

    def log_in(username: str, size: dict[str, int] = DESK) -> Page:
        context = browser.new_context(
            ignore_https_errors=True, viewport=size, locale="zh-CN", timezone_id="Asia/Shanghai"
        )
        contexts.append((username, context))
        context.set_default_timeout(15_000)
        page = context.new_page()
        page.on("pageerror", lambda error: complaints.append(f"{username}: {error}"))
        page.on(
            "response",
            lambda reply: complaints.append(f"{reply.status} {reply.url}") if reply.status >= 500 else None,
        )
        page.goto(platform.url + "/")
        page.fill("#username", username)
        page.fill("#password", platform.password)
        page.click("#kc-login")
        page.wait_for_url(platform.url + "/")
        return page

    yield log_in
    LAST.mkdir(parents=True, exist_ok=True)
    for username, context in contexts:
        # What each person saw last: the first thing to look at when a test has failed.
        for page in context.pages:
            page.screenshot(path=LAST / f"{username}.png", full_page=True)
        context.close()
    assert complaints == []


def picture(page: Page, name: str) -> None:
    """Keep what the page shows as a picture of the README or of docs."""
    PICTURES.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=PICTURES / f"{name}.png", animations="disabled")


def fits(page: Page) -> None:
    """Nothing is wider than the screen."""
    assert page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth"), (
        page.url
    )


def pick(page: Page, field: str, words: str, shown: str = "") -> None:
    """Choose one entry in a picker by typing `words`: the first that shows `shown` (or the words)."""
    box = page.locator(f'[data-picker][data-name="{field}"] input[role="combobox"]:visible').first
    box.click()
    box.fill(words)
    page.locator(f'[data-picker][data-name="{field}"] [role="option"]').filter(
        has_text=shown or words
    ).first.click()
    box.press("Escape")
