"""A browser of the tests: TLS with the platform's own authority, cookies, the login's form; it keeps every answer."""

from __future__ import annotations

import html
import re
import ssl
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

import httpcore
import httpx

from tests.inprocess import eventually

LONGEST = 20  # redirects in one go
FORM = re.compile(r'action="([^"]+/login-actions/authenticate[^"]*)"')


def past_form(page: httpx.Response, send: Callable[[str], httpx.Response]) -> httpx.Response:
    """The first answer that is not Keycloak's login form again; `send` posts the right password to an address.

    Keycloak takes one attempt of a person at a time, and shows the form again while it still counts the one before.
    """
    assert FORM.search(page.text), f"no login form at {page.url}: {page.status_code} {page.text[:300]}"

    def passed() -> bool:
        nonlocal page
        action = FORM.search(page.text)
        if action:
            page = send(html.unescape(action[1]))
        return not FORM.search(page.text)

    eventually(passed, 60, pause=0.3)
    return page


class Here(httpcore.SyncBackend):
    """Finds every host of the platform on this machine, as a browser does with *.localhost."""

    def connect_tcp(self, host: str, *args: Any, **more: Any) -> httpcore.NetworkStream:
        return super().connect_tcp("127.0.0.1" if host.endswith("localhost") else host, *args, **more)


class Browser:
    """Follows nothing by itself. `seen` holds every answer since the beginning."""

    def __init__(self, url: str, ca: Path) -> None:
        self.url = url
        transport = httpx.HTTPTransport(verify=ssl.create_default_context(cafile=str(ca)))
        transport._pool._network_backend = Here()
        self.http = httpx.Client(transport=transport, timeout=30)
        self.seen: list[httpx.Response] = []
        self._csrf = ""

    def ask(self, method: str, path: str, **more: Any) -> httpx.Response:
        """One request; an answer that says to come back is waited for, as a patient client would."""
        for _ in range(20):
            answer = self.http.request(method, urljoin(self.url, path), **more)
            if answer.status_code != 429:
                break
            time.sleep(0.3)
        self.seen.append(answer)
        return answer

    def get(self, path: str, **more: Any) -> httpx.Response:
        """GET, no redirect followed."""
        return self.ask("GET", path, **more)

    def follow(self, answer: httpx.Response) -> httpx.Response:
        """Go where the answer leads, as a browser does, to the page at the end."""
        for _ in range(LONGEST):
            if not answer.is_redirect:
                return answer
            answer = self.get(urljoin(str(answer.url), answer.headers["location"]))
        raise AssertionError("redirects without end")

    def sign_in(self, username: str, password: str, target: str = "/") -> httpx.Response:
        """Through the login page of the real Keycloak, with the right password; returns the page that is shown then."""
        form = {"username": username, "password": password}
        page = self.follow(self.get("/auth/login", params={"next": target}))
        return past_form(page, lambda action: self.follow(self.ask("POST", action, data=form)))

    @property
    def csrf(self) -> str:
        """The session's CSRF token."""
        if not self._csrf:
            self._csrf = self.get("/auth/me").json()["csrf"]
        return self._csrf

    def cookie(self, name: str) -> str:
        """The value of a cookie, '' when there is none."""
        return next((cookie.value or "" for cookie in self.http.cookies.jar if cookie.name == name), "")

    def close(self) -> None:
        """End; the session at the platform stays."""
        self.http.close()
