"""A login that has ended is dead at every door, however it ended."""

from __future__ import annotations

import json
import time

import httpx
import pytest

from portal.keycloak import bootstrap_admin, realm_call
from tests.checks.browser import Browser
from tests.checks.everywhere import BOUND, Everywhere
from tests.checks.platform import settings_of
from tests.inprocess import eventually

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]


@pytest.fixture(scope="module")
def everywhere(stack):
    made = Everywhere(stack)
    yield made
    made.close()


@pytest.fixture(scope="module")
def admin(stack):
    """Keycloak's administrator, as by its own console."""
    return bootstrap_admin(settings_of(stack))


@pytest.fixture
def enter(stack):
    """enter(username) → a browser that has just signed in."""
    opened = []

    def of(username):
        opened.append(Browser(stack.url, stack.ca))
        opened[-1].sign_in(username, settings_of(stack).secret("demo-password"))
        assert opened[-1].get("/auth/me").status_code == 200
        return opened[-1]

    yield of
    for browser in opened:
        browser.close()


def gone(browser):
    """Whether the browser's session is over: the gateway's question, and a page."""
    return browser.get("/auth/me").status_code == 401 and browser.get("/").status_code == 302


def test_a_token_is_dead_everywhere_after_the_logout(everywhere, enter):
    """# check 7"""
    browser = enter("yjj.yewu")
    token = everywhere.token_of(browser)
    assert all(everywhere.ask(token).values())
    answer = browser.ask(
        "POST", "/auth/logout", headers={"X-CSRF-Token": browser.csrf, "Origin": browser.url}
    )
    assert answer.status_code == 303
    assert gone(browser), "the portal's session at once"
    seconds = everywhere.until_dead(token)
    print(
        f"check 7: replayed at {len(everywhere.ask(token))} doors, the last one shut after {seconds:.2f} s (bound {BOUND:g} s)"
    )


def test_a_service_that_was_restarted_right_after_a_logout_still_refuses(stack, everywhere, enter):
    """# check 7: the list of ended logins outlives processes."""
    browser, other = enter("yjj.zonghe"), enter("yjj.wenshu")
    token, good = everywhere.token_of(browser), everywhere.token_of(other)
    browser.ask("POST", "/auth/logout", headers={"X-CSRF-Token": browser.csrf, "Origin": browser.url})
    everywhere.until_dead(token)
    for process in ("tasks-serve", "meetings-pages"):
        stack.restart(process, 150)
    seen = []
    # From the first answer on: no window in which the restarted ones let the token in.
    end = time.monotonic() + 3
    while time.monotonic() < end:
        seen.append(any(everywhere.ask(token).values()))
    assert not any(seen)
    assert all(everywhere.ask(good).values()), "and who has not left works on"
    print(f"check 7: {len(seen)} rounds after the restart of a service and of pages, let in 0 times")


def test_an_administrators_logout_at_keycloak_ends_everything(stack, everywhere, enter, admin):
    """# check 8"""
    browsers = [enter("wjj.yewu"), enter("wjj.yewu")]
    tokens = [everywhere.token_of(browser) for browser in browsers]
    entries = [into_old_site(stack, everywhere, browser) for browser in browsers]
    assert all(entry.get("/").status_code == 200 for entry in entries)
    began = time.monotonic()
    for session in realm_call(admin, "get", f"users/{admin.get_user_id('wjj.yewu')}/sessions"):
        realm_call(admin, "delete", f"sessions/{session['id']}")
    everywhere.until_dead(*tokens)
    eventually(lambda: all(gone(browser) for browser in browsers), BOUND, pause=0.05)
    eventually(lambda: all(entry.get("/").status_code != 200 for entry in entries), BOUND, pause=0.05)
    seconds = time.monotonic() - began
    assert seconds < BOUND
    survivors = sum(any(everywhere.ask(token).values()) for token in tokens) + sum(
        not gone(one) for one in browsers
    )
    assert survivors == 0
    for entry in entries:
        entry.close()
    print(
        f"check 8: 2 logins with legacy sessions, ended at Keycloak: {survivors} survivors after {seconds:.2f} s"
    )


def into_old_site(stack, everywhere, browser):
    """The person's browser on the host of a legacy system that takes the platform's word."""
    gateway = f"http://{stack.env['TONGBAN_HTTP_GATEWAY']}"
    bearer = {"Authorization": f"Bearer {everywhere.token_of(browser)}"}
    answer = everywhere.inside.post(f"{gateway}/auth/app-ticket", headers=bearer, json={"app": "headersite"})
    assert answer.status_code == 200, answer.text
    there = Browser(f"https://headersite.{stack.env['TONGBAN_APPS_DOMAIN']}", stack.ca)
    assert there.follow(there.get(answer.json()["url"])).status_code == 200
    return there


def changed(admin, username, **fields):
    """Change a person by Keycloak's own interface, as its console does."""
    user = admin.get_user(admin.get_user_id(username))
    attributes = {**user["attributes"], **fields.pop("attributes", {})}
    realm_call(
        admin, "put", f"users/{user['id']}", data=json.dumps({**user, **fields, "attributes": attributes})
    )


@pytest.mark.parametrize(
    ("what", "change", "back"),
    [
        ("disabled", {"enabled": False}, {"enabled": True}),
        ("post removed", {"attributes": {"posts": []}}, None),
        ("clearance lowered", {"attributes": {"clearance": ["0"]}}, None),
    ],
)
def test_a_change_by_keycloaks_console_is_felt_everywhere(everywhere, enter, admin, what, change, back):
    """# check 9"""
    username = "wjj.zonghe"
    before = admin.get_user(admin.get_user_id(username))["attributes"]
    if what == "clearance lowered":
        changed(admin, username, attributes={"clearance": ["2"]})
    # Keycloak notes a login's second only: one in the second of a change, of the case before too, would end with it.
    time.sleep(1.1)
    browser = enter(username)
    token = everywhere.token_of(browser)
    assert all(everywhere.ask(token).values())
    try:
        changed(admin, username, **change)
        seconds = everywhere.until_dead(token)
        eventually(lambda: gone(browser), BOUND, pause=0.05)
    finally:
        changed(admin, username, **{"attributes": before, **(back or {})})
    print(f"check 9: {what} at Keycloak's console: dead at every door after {seconds:.2f} s")


def test_a_change_through_the_portal_is_felt_everywhere(stack, everywhere, enter, people):
    """# check 9: the same by the platform's own interface, at once."""
    username = "wjj.fujuzhang"
    edge = Browser(stack.url, stack.ca)
    bearer, security = (
        {"Authorization": f"Bearer {people.token(name)}"} for name in ("sysadmin", "secadmin")
    )
    found = edge.get("/api/v1/portal/people", headers=bearer, params={"words": username}).json()["people"]
    person = next(one for one in found if one["username"] == username)
    results = {}
    try:
        for what, change in (
            ("disabled", lambda: save(edge, bearer, {**person, "disabled": True})),
            ("post removed", lambda: save_rights(edge, security, {**person, "posts": []})),
        ):
            browser = enter(username)
            token = everywhere.token_of(browser)
            change()
            results[what] = everywhere.until_dead(token)
            eventually(lambda browser=browser: gone(browser), BOUND, pause=0.05)
            put_back(edge, bearer, security, person)
    finally:
        put_back(edge, bearer, security, person)
    edge.close()
    print(
        "check 9:",
        ", ".join(f"{what} through the portal: {seconds:.2f} s" for what, seconds in results.items()),
    )


def put_back(edge, bearer, security, person):
    """Rights first: an account is saved by the other administrator only with the rights it has."""
    save_rights(edge, security, person)
    save(edge, bearer, person)


def save(edge, bearer, person):
    body = {"people": [{key: value for key, value in person.items() if key != "person"}]}
    post(edge, bearer, "/api/v1/portal/people:save", body)


def save_rights(edge, bearer, person):
    rights = {key: person[key] for key in ("username", "posts", "clearance", "roles") if key in person}
    post(edge, bearer, "/api/v1/portal/people:saveRights", {"rights": [rights]})


def post(edge, bearer, path, body):
    answer = edge.ask(
        "POST",
        path,
        headers={**bearer, "Idempotency-Key": f"{time.time_ns()}"},
        json=body,
    )
    assert answer.status_code == 200, answer.text


def test_a_refresh_token_that_comes_twice_ends_the_family(stack, everywhere, admin):
    """# check 10: the thief's and the owner's tokens alike."""
    settings = settings_of(stack)
    endpoint, client = (
        f"{settings.realm_url}/protocol/openid-connect/token",
        ("tongban-demo", settings.secret("tongban-demo")),
    )

    def token(**form):
        return httpx.post(endpoint, data=form, auth=client, timeout=20)

    first = token(
        grant_type="password",
        username="yjj.fujuzhang",
        password=settings.secret("demo-password"),
        scope="openid",
    ).json()
    second = token(grant_type="refresh_token", refresh_token=first["refresh_token"]).json()
    assert all(everywhere.ask(second["access_token"]).values())
    assert token(grant_type="refresh_token", refresh_token=first["refresh_token"]).status_code == 400
    assert token(grant_type="refresh_token", refresh_token=second["refresh_token"]).status_code == 400
    seconds = everywhere.until_dead(first["access_token"], second["access_token"])
    sessions = realm_call(admin, "get", f"users/{admin.get_user_id('yjj.fujuzhang')}/sessions")
    assert second["session_state"] not in {one["id"] for one in sessions}
    print(
        f"check 10: after the reuse the newest refresh token is refused at once, 2 access tokens at every door after {seconds:.2f} s"
    )
