"""The edge of the running platform, and browsers without a window."""

from __future__ import annotations

import json
import os
import ssl
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest

from tests.checks.browser import past_form

PERSON = "fgw.wenshu"


@dataclass
class Edge:
    """Where the platform is. `cookies` collects every Set-Cookie that our own processes sent."""

    env: dict[str, str]
    cookies: list[str] = field(default_factory=list)

    @property
    def url(self) -> str:
        return self.env["TONGBAN_PUBLIC_URL"]

    @property
    def apps(self) -> str:
        return self.env["TONGBAN_APPS_DOMAIN"]

    def browser(self) -> httpx.Client:
        """A client with a jar of its own that trusts the deployment's authority."""
        trust = ssl.create_default_context(cafile=Path(self.env["TONGBAN_VAR"]) / "tls" / "ca.crt")
        headers = {"Sec-Fetch-Mode": "navigate"}
        hooks = {"response": [self._note]}
        return httpx.Client(base_url=self.url, verify=trust, headers=headers, timeout=30, event_hooks=hooks)

    def log_in(self, browser: httpx.Client, path: str = "/", username: str = PERSON) -> httpx.Response:
        """Go to `path` as a stranger, log in, and return the answer of the callback."""
        at_login = browser.get(browser.get(path).headers["location"])
        return self.give_password(browser, at_login.headers["location"], username)

    def give_password(self, browser: httpx.Client, address: str, username: str = PERSON) -> httpx.Response:
        """Fill in Keycloak's form at `address`; the answer of the callback."""
        password = (Path(self.env["TONGBAN_SECRETS"]) / "demo-password").read_text().strip()
        data = {"username": username, "password": password, "credentialId": ""}
        back = past_form(browser.get(address), lambda action: browser.post(action, data=data))
        assert back.status_code == 302, back.text[:500]
        return browser.get(back.headers["location"])

    def _note(self, response: httpx.Response) -> None:
        if not response.url.path.startswith("/id/"):
            self.cookies += response.headers.get_list("set-cookie")


@pytest.fixture(scope="session")
def edge(request: pytest.FixtureRequest) -> Edge:
    """The edge of the test stack; or of a platform that runs already, when TONGBAN_E2E_VAR names its folder."""
    running = os.environ.get("TONGBAN_E2E_VAR")
    if running:
        return Edge(json.loads((Path(running) / "state.json").read_text())["env"])
    return Edge(request.getfixturevalue("stack").env)


@pytest.fixture
def stranger(edge: Edge) -> Iterator[httpx.Client]:
    """Somebody without a session."""
    with edge.browser() as browser:
        yield browser


@pytest.fixture
def person(edge: Edge) -> Iterator[httpx.Client]:
    """Somebody who is logged in."""
    with edge.browser() as browser:
        edge.log_in(browser)
        yield browser


Csrf = Callable[[httpx.Client], dict[str, str]]


@pytest.fixture
def csrf(edge: Edge) -> Csrf:
    """The headers that a page of ours sends when it writes."""

    def headers(browser: httpx.Client) -> dict[str, str]:
        return {"X-CSRF-Token": browser.get("/auth/me").json()["csrf"], "Origin": edge.url}

    return headers
