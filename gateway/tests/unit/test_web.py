import hashlib
import json
import threading
import time

import pytest
from google.api import httpbody_pb2
from google.protobuf.message_factory import GetMessageClass

from chassis.errors import Conflict, NotFound, Unavailable
from gateway import cookies
from gateway.api import Api
from gateway.sessions import digest
from gateway.tests.unit import fakes
from gateway.web import create

UNSAFE = ("POST", "PUT", "PATCH", "DELETE")
# Not sent by browsers with a session: Keycloak's own call, whose token is verified; and the edge's internal
# address.
WITHOUT_SESSION = {"/auth/backchannel-logout", "/auth/unauthenticated"}


class World:
    def __init__(self, tmp_path):
        self.parts = fakes.parts(tmp_path)
        self.upstream = fakes.FakeUpstream()
        self.app = create(self.parts, fakes.sample_routes(), self.upstream)

    def client(self, *, signed_in=True):
        client = self.app.test_client()
        if signed_in:
            client.set_cookie(cookies.SESSION, fakes.logged_in(self.parts), domain="localhost", secure=True)
        client.environ_base["HTTP_SEC_FETCH_SITE"] = "same-origin"
        return client

    def csrf(self, client):
        return client.get("/auth/me", base_url=fakes.PUBLIC).json["csrf"]


@pytest.fixture
def world(tmp_path):
    return World(tmp_path)


def call(client, method, path, **how):
    return client.open(path, method=method, base_url=fakes.PUBLIC, **how)


def unsafe_routes(app):
    """Every unsafe method of every route that exists: Flask's own, and those of the REST table."""
    for rule in app.url_map.iter_rules():
        for method in sorted(rule.methods & set(UNSAFE)):
            if rule.endpoint != "api.call" and rule.rule not in WITHOUT_SESSION:
                yield method, rule.rule
    for route in fakes.sample_routes().all:
        if route.unsafe:
            yield route.verb, route.template.text.replace("{thing}", "t1")


def test_csrf_on_the_whole_route_table(world):  # check 13
    client = world.client()
    token = world.csrf(client)
    count = 0
    for method, path in unsafe_routes(world.app):
        for headers in (
            {},
            {"X-CSRF-Token": "x"},
            {"X-CSRF-Token": "é"},
            {"X-CSRF-Token": token, "Origin": "https://evil.example"},
            {"X-CSRF-Token": token, "Origin": "null"},
            {"X-CSRF-Token": token, "Sec-Fetch-Site": "cross-site"},
            {"X-CSRF-Token": token, "Sec-Fetch-Site": "same-site"},
        ):
            answer = call(client, method, path, headers=headers, json={})
            assert answer.status_code == 403, (method, path, headers)
            assert path == "/auth/logout" or answer.json["reason"] == "CSRF"
            count += 1
    assert not world.upstream.calls
    print(f"check 13: {count} forged requests, 0 accepted")
    assert count >= 40


def test_own_pages_may_write(world):
    client = world.client()
    headers = {"X-CSRF-Token": world.csrf(client), "Origin": fakes.PUBLIC}
    assert (
        call(client, "PATCH", "/api/v1/sample/things/t1", headers=headers, json={"title": "x"}).status_code
        == 200
    )
    assert world.upstream.calls[0][1].title == "x"


def test_without_session_nothing_is_served(world):
    client = world.client(signed_in=False)
    for route in fakes.sample_routes().all:
        answer = call(
            client,
            route.verb,
            route.template.text.replace("{thing}", "t1").replace("{thing=**}", "t1"),
            json={},
        )
        assert answer.status_code == 401
        assert answer.content_type == "application/problem+json"
        assert "Bearer" in answer.headers["WWW-Authenticate"]
    assert not world.upstream.calls


def test_bearer_token_needs_no_csrf(world):
    client = world.client(signed_in=False)
    answer = call(
        client, "PATCH", "/api/v1/sample/things/t1", headers={"Authorization": "Bearer p9|login9"}, json={}
    )
    assert answer.status_code == 200


@pytest.mark.parametrize(
    "value", ["", "Bearer", "Bearer ", "Basic eDp5", "Bearer broken", "bearer\tx|y", "Token p9|login9"]
)
def test_bad_authorization_is_401_even_with_a_cookie(world, value):
    assert (
        call(world.client(), "GET", "/api/v1/sample/things", headers={"Authorization": value}).status_code
        == 401
    )


def test_identity_headers_are_not_honoured(world):  # check 17
    client = world.client(signed_in=False)
    names = [
        "X-Tongban-Token",
        "X-Tongban-Person",
        "X-Tongban-Csrf",
        "X-User",
        "X-Remote-User",
        "X-Forwarded-User",
        "X_Tongban_Token",
        "Cookie2",
    ]
    headers = dict.fromkeys(names, "p1|login1")
    for path in ("/auth/me", "/auth/check", "/auth/app-check", "/api/v1/sample/things"):
        assert call(client, "GET", path, headers=headers).status_code == 401


def test_login_from_start_to_end(world):  # check 11, 12, 15
    client = world.client(signed_in=False)
    set_cookies = []

    def get(path):
        answer = call(client, "GET", path)
        set_cookies.extend(answer.headers.getlist("Set-Cookie"))
        return answer

    state = get("/auth/login?next=/documents/x").location.partition("state=")[2]
    assert get(f"/auth/callback?code=good&state={state}x").status_code == 400
    answer = get(f"/auth/callback?code=good&state={state}")
    assert answer.location == f"{fakes.PUBLIC}/documents/x"
    first = client.get_cookie(cookies.SESSION, domain="localhost").value
    assert get("/auth/check").headers["X-Tongban-Token"].startswith("p1|login1|")
    # A login over a login: a new value, and the old one is dead. # check 11
    state = get("/auth/login?next=/y&fresh=1").location.partition("state=")[2]
    get(f"/auth/callback?code=good&state={state}")
    assert client.get_cookie(cookies.SESSION, domain="localhost").value != first
    assert world.parts.sessions.find(first) is None
    assert get("/auth/check").status_code == 200
    # With a live session the login page is skipped.
    assert get("/auth/login?next=/z").location == f"{fakes.PUBLIC}/z"
    for cookie in set_cookies:  # check 12
        low = cookie.lower()
        assert low.startswith("__host-")
        assert all(part in low for part in ("; secure", "; httponly", "; samesite=lax", "; path=/"))
        assert "domain" not in low
    print(f"check 12: {len(set_cookies)} cookies, all complete")


@pytest.mark.parametrize(
    "query",
    [
        "",
        "?code=good",
        "?state=x",
        "?code=good&state=",
        "?error=access_denied&state={state}",
        "?code=bad&state={state}",
        "?code=good&state={state}&iss=https://evil.example",
    ],
)
def test_callback_refuses(world, query):  # check 15
    client = world.client(signed_in=False)
    state = call(client, "GET", "/auth/login").location.partition("state=")[2]
    answer = call(client, "GET", "/auth/callback" + query.format(state=state))
    assert answer.status_code == 400
    assert client.get_cookie(cookies.SESSION, domain="localhost") is None


@pytest.mark.parametrize(
    "target",
    ["https://evil.example", "//evil.example", "/\\evil.example", "/%2f/evil.example", "/auth/login"],
)
def test_login_leads_to_no_other_site(world, target):  # check 14
    answer = world.client().get("/auth/login", query_string={"next": target}, base_url=fakes.PUBLIC)
    assert answer.location == f"{fakes.PUBLIC}/"


PAGE = {"X-Tongban-Method": "GET", "Sec-Fetch-Mode": "navigate"}


def test_a_session_whose_renewal_was_lost_is_replaced_when_a_page_is_opened(world):  # check 10, check 11
    client = world.client()
    before, csrf = client.get_cookie(cookies.SESSION, domain="localhost").value, world.csrf(client)
    records = world.parts.store.collection("sessions").records

    def check(**headers):
        return call(client, "GET", "/auth/check", headers={**PAGE, **headers}).status_code

    assert check() == 200
    records[digest(before)]["shown"] = True
    world.parts.sessions.drop_remembered("login1")
    for other in (
        {"X-Tongban-Method": "POST"},
        {"Sec-Fetch-Mode": "cors"},
        {"Sec-Fetch-Mode": ""},
        {"HX-Request": "true"},
    ):
        assert check(**other) == 200, f"{other} is no page that could come back to where it was"
    world.parts.oidc.problem = Unavailable("X", "x")
    assert check() == 200, "nobody is sent to a Keycloak that is away"
    world.parts.oidc.problem = None
    assert check() == 401
    login = call(client, "GET", "/auth/login?next=/tasks/")
    assert login.location.startswith(f"{fakes.PUBLIC}/id/auth"), "and not back at once, round and round"
    state = login.location.partition("state=")[2]
    assert call(client, "GET", f"/auth/callback?code=good&state={state}").location == f"{fakes.PUBLIC}/tasks/"
    assert client.get_cookie(cookies.SESSION, domain="localhost").value != before
    assert digest(before) not in records
    assert world.csrf(client) == csrf, "a form that was open can still be sent"
    assert check() == 200


def test_logout_ends_everything(world):  # check 7
    client = world.client()
    cookie = client.get_cookie(cookies.SESSION, domain="localhost").value
    answer = call(
        client, "POST", "/auth/logout", data={"_csrf": world.csrf(client)}, headers={"Origin": fakes.PUBLIC}
    )
    assert (answer.status_code, answer.location) == (303, f"{fakes.PUBLIC}/signed-out")
    assert client.get_cookie(cookies.SESSION, domain="localhost") is None
    client.set_cookie(cookies.SESSION, cookie, domain="localhost", secure=True)
    assert call(client, "GET", "/auth/check").status_code == 401
    assert world.parts.oidc.ended == ["refresh-token-1"]
    assert ("tongban.session.ended", b"login1") in world.parts.bus.hints
    assert (
        call(
            client,
            "GET",
            "/api/v1/sample/things",
            headers={"Authorization": "Bearer p1|login1|refresh-token-1"},
        ).status_code
        == 401
    )


def test_edge_is_told_what_pages_need(world):
    client = world.client()
    answer = call(client, "GET", "/auth/check")
    assert answer.headers["X-Tongban-Person"] == "p1"
    assert answer.headers["X-Tongban-Csrf"] == world.csrf(client)
    assert "Set-Cookie" not in answer.headers


@pytest.mark.parametrize(
    ("method", "headers", "status"),
    [
        ("GET", {"Sec-Fetch-Mode": "navigate"}, 302),
        ("GET", {}, 302),
        ("HEAD", {}, 302),
        ("GET", {"Sec-Fetch-Mode": "cors"}, 401),
        ("GET", {"HX-Request": "true"}, 401),
        ("POST", {}, 401),
        ("POST", {"HX-Request": "true"}, 401),
    ],
)
def test_unauthenticated(world, method, headers, status):
    headers = {**headers, "X-Tongban-Uri": "/documents/?a=b"}
    answer = call(world.client(signed_in=False), method, "/auth/unauthenticated", headers=headers)
    assert answer.status_code == status
    if status == 302:
        assert answer.location == f"{fakes.PUBLIC}/auth/login?next=%2Fdocuments%2F%3Fa%3Db"


def test_legacy_host(world):
    ticket = call(
        world.client(signed_in=False),
        "POST",
        "/auth/app-ticket",
        json={"app": "oa"},
        headers={"Authorization": "Bearer p1|login1|refresh-token-1"},
    )
    assert ticket.status_code == 401  # no browser session of that login yet
    fakes.logged_in(world.parts)
    ticket = call(
        world.client(signed_in=False),
        "POST",
        "/auth/app-ticket",
        json={"app": "oa"},
        headers={"Authorization": "Bearer p1|login1|refresh-token-1"},
    ).json
    assert ticket["url"].startswith("https://oa.apps.localhost:8443/.tongban/enter?ticket=")
    there = world.app.test_client()
    host = "https://oa.apps.localhost:8443"
    entered = there.get(
        "/.tongban/enter", query_string={"ticket": ticket["ticket"], "next": "/start"}, base_url=host
    )
    assert entered.location == "/start"
    assert entered.headers["Set-Cookie"].startswith("__Host-tongban-app=")
    told = there.get("/auth/app-check", base_url=host)
    assert (told.status_code, told.headers["X-Tongban-App"], told.headers["X-Tongban-Person"]) == (
        200,
        "oa",
        "p1",
    )
    assert there.get("/auth/app-check", base_url="https://other.apps.localhost:8443").status_code == 401
    again = there.get("/.tongban/enter", query_string={"ticket": ticket["ticket"]}, base_url=host)
    assert again.location == f"{fakes.PUBLIC}/apps/oa/open"


def write(world, client, path="/api/v1/sample/things/t1:close", **headers):
    headers = {
        "X-CSRF-Token": world.csrf(client),
        **{name.replace("_", "-"): value for name, value in headers.items()},
    }
    return call(client, "POST", path, headers=headers, json={})


def test_idempotency_key_becomes_request_id(world):
    client = world.client()
    assert write(world, client, Idempotency_Key="abcdefgh").status_code == 200
    assert world.upstream.calls[-1][1].request_id == "abcdefgh"
    # Without one it is the edge's own id of the request, which stays the same when the edge repeats it.
    write(world, client, X_Request_ID="0123456789abcdef")
    assert world.upstream.calls[-1][1].request_id == "0123456789abcdef"
    for bad in ("short", "x" * 65, "é" * 10):
        assert write(world, client, Idempotency_Key=bad).status_code == 400


def test_same_key_in_flight_is_409(world):  # check 42
    client = world.client()
    csrf = world.csrf(client)
    going, done = threading.Event(), threading.Event()

    def slow(route, request):
        going.set()
        done.wait(5)
        return GetMessageClass(route.method.output_type)()

    world.upstream.answer = slow
    headers = {"X-CSRF-Token": csrf, "Idempotency-Key": "abcdefgh"}
    found = []

    def send():
        found.append(call(client, "POST", "/api/v1/sample/things/t1:close", headers=headers, json={}))

    first = threading.Thread(target=send)
    first.start()
    assert going.wait(5)
    second = call(client, "POST", "/api/v1/sample/things/t1:close", headers=headers, json={})
    done.set()
    first.join()
    assert (second.status_code, second.json["reason"], second.headers["Retry-After"]) == (
        409,
        "REQUEST_IN_FLIGHT",
        "1",
    )
    assert found[0].status_code == 200
    world.upstream.answer = None
    assert call(client, "POST", "/api/v1/sample/things/t1:close", headers=headers, json={}).status_code == 200


def test_reused_key_is_422(world):  # check 42
    def reused(route, request):
        raise Conflict("REQUEST_ID_REUSED", "该请求编号已用于其他内容。")

    world.upstream.answer = reused
    assert write(world, world.client(), Idempotency_Key="abcdefgh").status_code == 422


def test_etag_goes_in_by_if_match_and_out_by_header(world):
    client = world.client()

    def answer(route, request):
        made = GetMessageClass(route.method.output_type)()
        made.etag = "8"
        return made

    world.upstream.answer = answer
    given = write(world, client, If_Match='"7"')
    assert world.upstream.calls[-1][1].etag == "7"
    assert given.headers["ETag"] == '"8"'
    for bad in ("7", '"7", "8"', '"', "*"):
        assert write(world, client, If_Match=bad).status_code == 400

    def lost(route, request):
        raise Conflict("CHANGED_MEANWHILE", "内容已被他人更新。")

    world.upstream.answer = lost
    assert write(world, client, If_Match='"7"').status_code == 412
    assert write(world, client).status_code == 409


def test_file_is_a_download_whatever_it_holds(world):  # check 28
    def file(route, request):
        return iter(
            [
                httpbody_pb2.HttpBody(content_type='text/html; name="通知.html"', data=b"<script>"),
                httpbody_pb2.HttpBody(data=b"x"),
            ]
        )

    world.upstream.answer = file
    answer = call(world.client(), "GET", "/api/v1/sample/files/a/b%2Fc")
    assert world.upstream.calls[-1][1].thing == "a/b%2Fc"
    assert answer.get_data() == b"<script>x"
    assert answer.headers["Content-Disposition"] == "attachment; filename*=UTF-8''%E9%80%9A%E7%9F%A5.html"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert "sandbox" in answer.headers["Content-Security-Policy"]


def test_missing_file_is_an_error_and_no_broken_download(world):
    def missing(route, request):
        def nothing():
            raise NotFound("NOT_FOUND", "没有找到该文件。")
            yield

        return nothing()

    world.upstream.answer = missing
    assert call(world.client(), "GET", "/api/v1/sample/files/a").status_code == 404


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/api/v1/nope", 404),
        ("GET", "/api/v1/", 404),
        ("POST", "/api/v1/sample/things:count", 405),
        ("GET", "/api/v1/sample/things/%ff", 400),
        ("GET", "/api/v2/x", 404),
        ("POST", "/api/docs", 405),
    ],
)
def test_wrong_paths(world, method, path, status):
    client = world.client()
    answer = call(client, method, path, headers={"X-CSRF-Token": world.csrf(client)})
    assert answer.status_code == status
    assert answer.json["request_id"]


def test_body_must_be_json_and_small(world):
    client = world.client()
    headers = {"X-CSRF-Token": world.csrf(client)}
    answer = call(
        client,
        "POST",
        "/api/v1/sample/things/t1:close",
        headers=headers,
        data="{}",
        content_type="text/plain",
    )
    assert answer.status_code == 400
    answer = call(
        client,
        "POST",
        "/api/v1/sample/things/t1:close",
        headers=headers,
        data=b" " * (5 << 20),
        content_type="application/json",
    )
    assert (answer.status_code, answer.json["reason"]) == (413, "TOO_LARGE")


def test_unexpected_fault_says_nothing_but_its_number(world):
    def fault(route, request):
        raise RuntimeError("internal detail")

    world.upstream.answer = fault
    answer = call(
        world.client(), "GET", "/api/v1/sample/things", headers={"X-Request-ID": "0123456789abcdef"}
    )
    assert answer.status_code == 500
    assert "internal detail" not in answer.get_data(as_text=True)
    assert answer.json["request_id"] == answer.headers["X-Request-ID"] == "0123456789abcdef"


def test_stranger_cannot_choose_a_request_id_that_breaks_logs(world):  # check 35
    for bad in ("x\ty", "a" * 100, "é", "\x1b[31m"):
        answer = call(world.client(), "GET", "/healthz", headers={"X-Request-ID": bad})
        assert answer.headers["X-Request-ID"] != bad


def test_rate_limit_is_429_with_retry_after(world, monkeypatch):
    monkeypatch.setenv("TONGBAN_RATE_PERSON", "0.01")
    monkeypatch.setenv("TONGBAN_BURST_PERSON", "3")
    app = create(world.parts, fakes.sample_routes(), world.upstream)
    world.app = app
    client = world.client()
    answers = [call(client, "GET", "/api/v1/sample/things") for _ in range(5)]
    assert [answer.status_code for answer in answers] == [200, 200, 200, 429, 429]
    assert 90 <= int(answers[-1].headers["Retry-After"]) <= 100


def test_one_slow_service_does_not_take_all_threads(world, monkeypatch):  # check 59
    monkeypatch.setenv("TONGBAN_API_AT_ONCE_PER_UNIT", "2")
    client = World.client(world)
    world.app = create(world.parts, fakes.sample_routes(), world.upstream)
    client = world.client()
    done = threading.Event()

    def slow(route, request):
        done.wait(5)
        return GetMessageClass(route.method.output_type)()

    world.upstream.answer = slow
    threads = [threading.Thread(target=call, args=(client, "GET", "/api/v1/sample/things")) for _ in range(2)]
    for thread in threads:
        thread.start()
    deadline = time.monotonic() + 5
    while len(world.upstream.calls) < 2 and time.monotonic() < deadline:
        time.sleep(0.01)
    answer = call(client, "GET", "/api/v1/sample/things")
    done.set()
    for thread in threads:
        thread.join()
    assert (answer.status_code, answer.json["reason"]) == (503, "BUSY")
    assert call(client, "GET", "/api/v1/sample/things").status_code == 200


def test_store_away_is_503_and_not_a_logout(world, monkeypatch):
    client = world.client()

    def away(key):
        raise Unavailable("STORE_UNAVAILABLE", "数据库暂时不可用。")

    world.parts.sessions  # noqa: B018 - made before the store goes away
    monkeypatch.setattr(world.parts.store.collection("sessions"), "get", away)
    assert call(client, "GET", "/auth/check").status_code == 503


def test_backchannel_logout_answers_400_to_strangers(world):
    def refuse(token):
        from chassis.errors import NotSignedIn

        raise NotSignedIn("NOT_SIGNED_IN", "")

    world.parts.oidc.check_logout_token = refuse
    assert (
        call(world.client(), "POST", "/auth/backchannel-logout", data={"logout_token": "x"}).status_code
        == 400
    )


def test_backchannel_logout_ends_the_login_once(world):  # check 8
    client = world.client()
    world.parts.oidc.check_logout_token = lambda token: {"sid": "login1", "jti": "j1"}
    assert call(client, "POST", "/auth/backchannel-logout", data={"logout_token": "x"}).status_code == 200
    assert call(client, "GET", "/auth/me").status_code == 401
    assert call(client, "POST", "/auth/backchannel-logout", data={"logout_token": "x"}).status_code == 400


def test_every_route_of_the_table_is_served(world):
    assert isinstance(Api, type)
    client = world.client()
    headers = {"X-CSRF-Token": world.csrf(client)}
    for route in fakes.sample_routes().all:
        path = route.template.text.replace("{thing=**}", "t1").replace("{thing}", "t1")
        assert (
            call(
                client, route.verb, path, headers=headers, **({"json": {}} if route.body else {})
            ).status_code
            == 200
        ), path


def test_answers_are_json(world):
    answer = call(world.client(), "GET", "/api/v1/sample/things")
    assert json.loads(answer.get_data())["title"] == ""
    assert answer.headers["Cache-Control"] == "no-store"


def test_the_descriptions_tag_is_of_its_content_and_so_the_same_in_every_process(world, monkeypatch):
    monkeypatch.setenv("TONGBAN_UNITS", "[]")
    answer = world.client().get("/api/openapi.json", base_url=fakes.PUBLIC)
    assert answer.headers["ETag"] == f'"{hashlib.sha256(answer.data).hexdigest()}"'
    again = world.client().get(
        "/api/openapi.json", base_url=fakes.PUBLIC, headers={"If-None-Match": answer.headers["ETag"]}
    )
    assert (again.status_code, again.data) == (304, b"")
