"""Fixtures of the chaos tests. They break the same platform that other tests stand on, and leave it whole."""

from __future__ import annotations

import os

import httpx
import pytest

from chassis.errors import Unavailable
from deploy.demo.acting import People
from tests.checks.browser import Browser
from tests.checks.platform import settings_of
from tests.inprocess import eventually


@pytest.fixture(scope="session")
def full() -> bool:
    """Whether the long form is wanted (`make chaos`); the short one takes seconds."""
    return os.environ.get("TONGBAN_CHAOS") == "full"


class Tokens:
    """people.token("qfb.wenshu"): renewed well before their end, so that Keycloak may be away or slow for a while."""

    def __init__(self, people):
        self._people = people
        self._last = {}

    def token(self, username):
        try:
            self._last[username] = self._people.token(username)
        except (httpx.HTTPError, Unavailable):
            if username not in self._last:
                return eventually(lambda: self._first(username), 120)
        return self._last[username]

    def _first(self, username):
        try:
            self._last[username] = self._people.token(username)
        except (httpx.HTTPError, Unavailable):
            return ""
        return self._last[username]


@pytest.fixture(scope="session")
def people(stack):
    """Access tokens of anybody in the demonstration."""
    return Tokens(People(settings_of(stack)))


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
