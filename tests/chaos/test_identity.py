"""Keycloak is away for ten minutes: who is logged in works on, and nobody is told anything untrue."""

from __future__ import annotations

import threading
import time

import pytest

from tests.chaos import forms
from tests.checks.browser import Browser
from tests.checks.platform import settings_of
from tests.inprocess import eventually

pytestmark = [pytest.mark.e2e, pytest.mark.slow, pytest.mark.timeout(1500)]
AWAY = 600.0
PAGES = ("/", "/tasks/", "/documents/incoming", "/api/v1/tasks/todo:count", "/auth/me")


class Open(threading.Thread):
    """The stream of events that every open page keeps."""

    def __init__(self, browser):
        super().__init__(daemon=True)
        self.browser, self.ended = browser, False
        self.start()

    def run(self):
        with self.browser.http.stream("GET", self.browser.url + "/stream/", timeout=None) as answer:
            for _ in answer.iter_lines():
                pass
        self.ended = True


@forms.long
def test_who_is_logged_in_works_on_for_ten_minutes(stack, browsers):
    """# check 64"""
    # Started a moment ago, no page has been asked for anything yet: nobody needs Keycloak for the first time after it has gone.
    # Whose token is fresh, and whose is about to be renewed; both have a page open, and one of them does nothing for minutes.
    people = [browsers("qfb.wenshu"), browsers("qzf.quzhang")]
    streams = [Open(browser) for browser in people]
    late = Browser(stack.url, stack.ca)
    stop = time.monotonic() + 290
    while time.monotonic() < stop:
        assert people[0].get("/auth/me").status_code == 200
        time.sleep(10)
    stack.halt("keycloak")
    began, failed, asked = time.monotonic(), [], 0
    try:
        while time.monotonic() - began < AWAY:
            # The second is at the desk at the beginning and at the end.
            quiet = 20 < time.monotonic() - began < AWAY - 60
            for browser in people[: 1 if quiet else 2]:
                for path in PAGES:
                    status = browser.get(path).status_code
                    asked += 1
                    if status != 200:
                        failed.append((round(time.monotonic() - began), path, status))
            answer = late.follow(late.get("/auth/login"))
            assert (answer.status_code, "统一身份认证暂时不可用" in answer.text) == (503, True)
            time.sleep(5)
    finally:
        stack.restart("keycloak", 300)
    assert not failed, failed[:5]
    assert not any(one.ended for one in streams), "an open page was cut off"
    password = settings_of(stack).secret("demo-password")
    eventually(lambda: late.sign_in("lhj.yewu", password).status_code == 200, 60)
    assert all(browser.get("/tasks/").status_code == 200 for browser in people)
    late.close()
    print(
        f"check 64: Keycloak away for {AWAY:g} s: {asked} requests of two people, {len(failed)} failed; the login page said so"
    )
