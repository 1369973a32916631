"""Login, pages, API and streams through the real edge, with the real Keycloak."""

import asyncio
import contextlib
import json
import threading
import time

import httpx
import nats
import pymongo
import pytest

from gateway.sessions import digest
from tests.inprocess import eventually

pytestmark = pytest.mark.integration

PAGES = ("/", "/documents/", "/tasks/", "/knowledge/", "/administration", "/apps")
IDENTITY = (
    "X-User", "X-User-Id", "X-Username", "X-Remote-User", "Remote-User", "X-Forwarded-User", "X-Forwarded-For", "X-Real-IP",
    "Forwarded", "X-Tongban-Person", "X-Tongban-Token", "X-Tongban-Csrf", "X-Tongban-App", "X-Tongban-Demo-Time",
    "X_Tongban_Person", "X_Tongban_Token", "X_Forwarded_User", "Authorization", "X-Original-URL", "Http-X-User",
)  # fmt: skip


def raw(browser, path):
    """A request whose path is sent as it is written."""
    request = browser.build_request("GET", "/")
    request.url = request.url.copy_with(raw_path=path.encode())
    return browser.send(request)


def test_login_leads_back_to_where_one_wanted_to_go(edge, stranger):
    answer = edge.log_in(stranger, "/documents/?q=%E5%85%AC%E6%96%87")
    assert answer.headers["location"] == f"{edge.url}/documents/?q=%E5%85%AC%E6%96%87"
    me = stranger.get("/auth/me").json()
    assert "fgw:registrar" in me["posts"]
    assert stranger.get("/").status_code == 200


def test_callback_works_once(edge, stranger):  # check 15
    answer = edge.log_in(stranger)
    assert answer.status_code == 302
    assert stranger.get(str(answer.url)).status_code == 400


def test_all_cookies_are_complete(edge, person, csrf):  # check 12
    person.post("/auth/logout", headers=csrf(person))
    bad = [
        cookie
        for cookie in edge.cookies
        if cookie.startswith("__Host-tongban")
        and not all(
            part in cookie.lower() for part in ("; secure", "; httponly", "; samesite=lax", "; path=/")
        )
    ]
    weak = [c for c in edge.cookies if "secure" not in c.lower() or "samesite" not in c.lower()]
    print(f"check 12: {len(edge.cookies)} cookies of ours, {len(bad) + len(weak)} incomplete")
    assert edge.cookies
    assert not bad
    assert not weak


@pytest.mark.parametrize("path", PAGES)
def test_stranger_is_led_to_the_login(stranger, path):
    page = stranger.get(path)
    assert (page.status_code, "/auth/login?next=" in page.headers["location"]) == (302, True)
    fragment = stranger.get(path, headers={"HX-Request": "true", "Sec-Fetch-Mode": "cors"})
    assert (fragment.status_code, fragment.headers["HX-Redirect"].endswith("/auth/login")) == (401, True)
    assert stranger.get(path, headers={"Sec-Fetch-Mode": "cors"}).status_code == 401
    assert stranger.post(path).status_code == 401


def test_spoofed_identity_is_not_honoured(edge, stranger, person):  # check 17
    me = person.get("/auth/me").json()
    token_shaped, count = "Bearer x.y.z", 0
    for name in IDENTITY:
        for value in (me["person"], token_shaped):
            for path in PAGES:
                assert stranger.get(path, headers={name: value}).status_code == 302, (name, path)
                count += 1
            for path in ("/auth/me", "/api/v1/tasks/todo", "/stream/"):
                assert stranger.get(path, headers={name: value}).status_code == 401, (name, path)
                count += 1
        if name != "Authorization":
            assert person.get("/auth/me", headers={name: "somebody-else"}).json()["person"] == me["person"]
    print(f"check 17: {count} spoofed requests, 0 honoured")


@pytest.mark.parametrize(
    "path",
    [
        "/auth/check", "/auth/app-check", "/auth/app-ticket", "/auth/unauthenticated", "/auth//check", "/auth/%63heck",
        "/auth/x/../check", "/auth/backchannel-logout", "/_session", "/_session_now", "/_apps/oldsite/", "/%5fapps/oldsite/",
        "//_apps/oldsite/", "/x/../_apps/oldsite/", "/_errors/503.html",
    ],
)  # fmt: skip
def test_what_is_internal_is_not_offered(person, path):
    assert raw(person, path).status_code == 404


@pytest.mark.parametrize(
    "path",
    [
        "/id/admin/", "/id/admin/master/console/", "/id/realms/master/account", "/id/realms/tongban/../../admin/",
        "/id/realms/tongban/..%2f..%2fadmin/", "/id/realms/tongban/%2e%2e/master/account", "/id/metrics", "/id/health",
        "/id/realms/tongban/clients-registrations/default",
    ],
)  # fmt: skip
def test_keycloak_is_closed_but_for_the_realm(person, path):
    assert raw(person, path).status_code == 403


def test_foreign_host_is_misdirected(edge, stranger):
    assert stranger.get("/", headers={"Host": "evil.example"}).status_code == 421


def test_cookie_is_renewed_by_a_fresh_login(edge, person):  # check 11
    old = person.cookies["__Host-tongban"]
    address = person.get("/auth/login?fresh=1").headers["location"]
    edge.give_password(person, address)
    assert person.cookies["__Host-tongban"] != old
    with edge.browser() as replay:
        replay.cookies.set("__Host-tongban", old)
        assert replay.get("/auth/me").status_code == 401


@pytest.mark.parametrize("left", [600, -1])  # seconds of the access token
def test_a_renewal_whose_answer_was_lost_costs_no_password(edge, person, left):  # check 10, check 57
    """The process that renewed was killed, say: the next page signs in by itself, and an open form can still be sent."""
    old, until = person.cookies["__Host-tongban"], time.time() + left
    csrf = person.get("/auth/me").json()["csrf"]
    with pymongo.MongoClient(edge.env["TONGBAN_MONGO_URI"]) as store:
        lost = {"shown": True, "renewing": 0.0, "renew_at": until, "access_until": until}
        sessions = store["tongban_gateway"]["sessions"]
        assert sessions.update_one({"_id": digest(old)}, {"$set": lost}).modified_count == 1

    def signed_in_anew():
        # Until the gateway and the edge have forgotten what they knew a second ago.
        answer = person.get("/tasks/", follow_redirects=True)
        assert (answer.status_code, answer.url.path) == (200, "/tasks/")
        return person.cookies["__Host-tongban"] != old

    eventually(signed_in_anew)
    assert person.get("/auth/me").json()["csrf"] == csrf


def test_forged_writes_are_refused(edge, person):  # check 13
    token = person.get("/auth/me").json()["csrf"]
    for headers in ({}, {"X-CSRF-Token": "x"}, {"X-CSRF-Token": token, "Origin": "https://evil.example"}):
        assert person.post("/auth/logout", headers=headers).status_code == 403
        assert person.post("/api/v1/tasks/tasks", headers=headers, json={}).status_code == 403


def test_logout_is_over_at_once_everywhere(edge, person, csrf):  # check 7, 8
    cookie, headers = person.cookies["__Host-tongban"], csrf(person)
    heard = _listen(person)
    assert person.post("/auth/logout", headers=headers).headers["location"] == f"{edge.url}/signed-out"
    with edge.browser() as replay:
        replay.cookies.set("__Host-tongban", cookie)
        assert replay.get("/auth/me").status_code == 401
        assert replay.get("/api/v1/tasks/todo").status_code == 401
        assert replay.post("/tasks/").status_code == 401
        # The edge may believe its last answer about a page for a second or two.
        deadline = time.monotonic() + 3
        while replay.get("/").status_code == 200 and time.monotonic() < deadline:
            time.sleep(0.1)
        assert replay.get("/").status_code == 302
    heard.thread.join(30)
    assert "session-ended" in heard.text()
    # Keycloak's own session is over as well: it asks for the password.
    address = person.get("/auth/login").headers["location"]
    assert "password" in person.get(address).text


def test_api_answers_and_refuses(person, csrf):
    assert "count" in person.get("/api/v1/tasks/todo:count").json()
    wrong = person.get("/api/v1/tasks/todo?nope=1")
    assert (wrong.status_code, wrong.headers["content-type"]) == (400, "application/problem+json")
    assert wrong.json()["fields"][0]["field"] == "nope"
    headers = {**csrf(person), "Content-Type": "application/json"}
    for body in (
        b'{"title":"a","title":"b"}',
        b'{"title":{"$ne":""}}',
        b"[" * 10_000,
        b'{"title":"\\ud800"}',
    ):  # check 33
        assert person.post("/api/v1/tasks/tasks", content=body, headers=headers).status_code == 400
    large = person.post("/api/v1/tasks/tasks", content=b" " * (5 << 20), headers=headers)
    assert (large.status_code, large.json()["reason"]) == (413, "TOO_LARGE")


class Heard:
    def __init__(self):
        self.lines = []
        self.open = threading.Event()
        self.thread = None

    def text(self):
        return "\n".join(self.lines)


def _listen(browser):
    heard = Heard()

    def listen():
        # The test ends before its stream does.
        with contextlib.suppress(httpx.HTTPError), browser.stream("GET", "/stream/", timeout=30) as answer:
            for line in answer.iter_lines():
                heard.lines.append(line)
                heard.open.set()

    heard.thread = threading.Thread(target=listen, daemon=True)
    heard.thread.start()
    assert heard.open.wait(30)
    return heard


def test_stream_carries_what_is_the_readers(edge, person):
    me = person.get("/auth/me").json()
    heard = _listen(person)

    async def push():
        broker = await nats.connect(edge.env["TONGBAN_NATS_URL"])
        for subject, text in (
            ("u.fgw.registrar", "mine"),
            (f"p.{me['person']}", "personal"),
            ("u.qfb.registrar", "theirs"),
        ):
            await broker.publish(
                f"tongban.push.{subject}", json.dumps({"event": "notice", "text": text}).encode()
            )
        await broker.drain()

    asyncio.run(push())
    deadline = time.monotonic() + 30
    while "personal" not in heard.text() and time.monotonic() < deadline:
        time.sleep(0.05)
    assert "mine" in heard.text()
    assert "personal" in heard.text()
    assert "theirs" not in heard.text()


def test_documentation_is_public(stranger):
    spec = stranger.get("/api/openapi.json").json()
    assert spec["openapi"] == "3.1.0"
    assert "/api/v1/tasks/todo" in spec["paths"]
    assert stranger.get("/api/docs").status_code == 200
