"""Fixtures of the chaos tests. They break the same platform that other tests stand on, and leave it whole."""

from __future__ import annotations

import os

import pytest

from deploy.demo.acting import People
from tests.checks.browser import Browser
from tests.checks.platform import settings_of
from tests.inprocess import eventually


@pytest.fixture(scope="session")
def full() -> bool:
    """Whether the long form is wanted (`make chaos`); the short one takes seconds."""
    return os.environ.get("TONGBAN_CHAOS") == "full"


@pytest.fixture(scope="session")
def people(stack):
    """Access tokens of anybody in the demonstration."""
    return People(settings_of(stack))


@pytest.fixture
def browsers(stack):
    """browsers(username) → a browser that has just signed in: sessions of earlier tests may have grown old."""
    opened: dict[str, Browser] = {}

    def of(username: str) -> Browser:
        if username not in opened:
            browser = opened[username] = Browser(stack.url, stack.ca)
            password = settings_of(stack).secret("demo-password")

            def signed_in():
                # Who is asked to come back, as on a machine that is busy with something else, comes back.
                browser.sign_in(username, password)
                return browser.get("/auth/me").status_code == 200

            eventually(signed_in, 120)
        return opened[username]

    yield of
    for browser in opened.values():
        browser.close()
