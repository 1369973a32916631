"""Every cookie of a whole round: login, pages, writes, one click into an old system, logout."""

from __future__ import annotations

import re
import uuid

import pytest

from tests.checks.browser import Browser
from tests.checks.platform import settings_of

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]
PAGES = (
    "/", "/documents/", "/documents/outgoing/new", "/tasks/", "/tasks/done", "/meetings/", "/knowledge/", "/apps", "/directory",
    "/me", "/notices", "/search?words=通知", "/api/v1/tasks/todo", "/auth/me", "/static/tongban.css", "/documents/nothing-here",
    "/stream/nothing", "/offline",
)  # fmt: skip
# Keycloak's own, under /id/ only. A browser's script of Keycloak reads KC_AUTH_SESSION_HASH to notice a login in another tab.
KEYCLOAK_OPEN_TO_SCRIPTS = {"KC_AUTH_SESSION_HASH", "KEYCLOAK_SESSION"}


@pytest.fixture(scope="module")
def round_(stack):
    """A browser that has been everywhere once; (host, path, Set-Cookie) of all that it was told."""
    browser = Browser(stack.url, stack.ca)
    wrong = browser.follow(browser.get("/auth/login"))
    assert "登录" in wrong.text
    home = browser.sign_in("qfb.wenshu", settings_of(stack).secret("demo-password"), "/documents/")
    assert (home.status_code, home.url.path.startswith("/documents/")) == (200, True)
    cookie = browser.cookie("__Host-tongban")
    for page in PAGES:
        browser.get(page)
    form = {
        "_csrf": browser.csrf, "title": "核对通讯录", "text": "请更新。", "request_id": uuid.uuid4().hex,
        "people": browser.get("/auth/me").json()["person"], "unit": "qfb",
    }  # fmt: skip
    written = browser.follow(browser.ask("POST", "/tasks/new", data=form))
    assert "已交办给1个承办人" in written.text, "the message of a write did not reach the next page"
    assert browser.cookie("__Host-message") == "", "a message that was shown is forgotten"
    for app in ("headersite", "oldsite"):
        browser.follow(browser.get(f"/apps/{app}/open"))
    # A second login while one is there, asking for the password again, changes the cookie.
    browser.follow(browser.get("/auth/login", params={"fresh": "1"}))
    browser.ask("POST", "/auth/logout", data={"_csrf": browser.csrf})
    browser.get("/signed-out")
    assert browser.get("/auth/me").status_code == 401
    yield (
        cookie,
        [
            (answer.url.host, answer.url.path, line)
            for answer in browser.seen
            for line in answer.headers.get_list("set-cookie")
        ],
    )
    browser.close()


def attributes(line):
    """Name, value, and attributes in small letters."""
    pair, *rest = (part.strip() for part in line.split(";"))
    name, _, value = pair.partition("=")
    return name, value, {part.partition("=")[0].lower(): part.partition("=")[2] for part in rest}


def test_every_cookie_of_ours_is_as_strict_as_cookies_can_be(round_, stack):
    """# check 12"""
    ours = [one for one in round_[1] if not one[1].startswith("/id/") and not _legacy(one, stack)]
    names = set()
    for host, path, line in ours:
        name, _, said = attributes(line)
        names.add(name)
        assert name.startswith("__Host-"), (host, path, name)
        assert "secure" in said, (path, line)
        assert "httponly" in said, (path, line)
        assert said.get("samesite") in ("Lax", "Strict"), (path, line)
        assert said.get("path") == "/", (path, line)
        assert "domain" not in said, (path, line)
    assert {
        "__Host-tongban",
        "__Host-tongban-login",
        "__Host-tongban-app",
        "__Host-message",
        "__Host-receipt",
    } <= names
    print(f"check 12: {len(ours)} Set-Cookie of ours ({', '.join(sorted(names))}), {len(ours)} strict")


def _legacy(one, stack):
    """A cookie that an old system set on its own host, as far as it is not ours."""
    return (
        one[0].endswith(stack.env["TONGBAN_APPS_DOMAIN"].partition(":")[0]) and "__Host-tongban" not in one[2]
    )


def test_an_old_systems_own_session_never_reaches_the_browser(round_, stack):
    """The jar stays on the server; the old system's host gives out nothing but our entry."""
    assert not [one for one in round_[1] if _legacy(one, stack)]


def test_keycloaks_own_cookies_stay_below_its_path(round_):
    """# check 12: they are Keycloak's to write; what it writes is Secure, and closed to scripts but for one by design."""
    keycloak = [one for one in round_[1] if one[1].startswith("/id/")]
    assert keycloak
    told = {}
    for _, _, line in keycloak:
        name, _, said = attributes(line)
        told[name] = said
        assert "secure" in said, line
        assert "httponly" in said or name in KEYCLOAK_OPEN_TO_SCRIPTS, line
        assert said.get("samesite") in ("None", "Lax", "Strict"), line
        assert said.get("path", "").startswith("/id/realms/"), line
    print(f"check 12: {len(keycloak)} Set-Cookie of Keycloak's: {', '.join(sorted(told))}")


def test_a_login_gives_a_value_that_nobody_could_have_planted(round_, stack):
    """# check 11: the value is made at login, whatever the browser brought; long enough not to be guessed."""
    assert re.fullmatch(r"[A-Za-z0-9_-]{43}", round_[0])
    browser = Browser(stack.url, stack.ca)
    planted = "A" * 43
    browser.http.cookies.set("__Host-tongban", planted, domain="localhost.local", path="/")
    browser.http.headers["Cookie"] = f"__Host-tongban={planted}"
    assert browser.get("/auth/me").status_code == 401
    del browser.http.headers["Cookie"]
    browser.http.cookies.clear()
    browser.sign_in("fgw.wenshu", settings_of(stack).secret("demo-password"))
    first = browser.cookie("__Host-tongban")
    assert first not in (planted, round_[0])
    assert browser.get("/auth/me").status_code == 200
    browser.close()
