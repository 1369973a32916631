"""One platform for all checks: browsers and programs come through its edge, tests of the inside through its doors.

Services inside the test stand on the fixture `engines` instead, for they begin with an empty stream.
"""

from __future__ import annotations

import pytest

from deploy.demo.acting import People
from tests.checks.browser import Browser
from tests.checks.platform import settings_of


@pytest.fixture(scope="session")
def people(stack):
    """Access tokens of anybody in the demonstration: people.token("qfb.wenshu")."""
    return People(settings_of(stack))


@pytest.fixture(scope="session")
def browsers(stack):
    """browsers(username) → a browser that is signed in through the real pages; one for each person."""
    opened: dict[str, Browser] = {}

    def of(username: str) -> Browser:
        if username not in opened:
            browser = opened[username] = Browser(stack.url, stack.ca)
            browser.sign_in(username, settings_of(stack).secret("demo-password"))
        return opened[username]

    yield of
    for browser in opened.values():
        browser.close()


@pytest.fixture
def stranger(stack):
    """A browser without a session."""
    browser = Browser(stack.url, stack.ca)
    yield browser
    browser.close()
