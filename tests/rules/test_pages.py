"""Every route of every page: nothing without a token, nothing unsafe without the CSRF token."""

from __future__ import annotations

from functools import partial

import pytest

from gateway import cookies, routes
from gateway.tests.unit import fakes
from gateway.web import create
from portal.connectors.proxy import Proxy
from tests.rules.apps import UNITS, Verifier, application, is_public, is_static, table

VERBS = ("GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE")
UNSAFE = ("POST", "PUT", "PATCH", "DELETE")
CSRF = "csrf-of-the-session"
WRONG_TOKENS = [
    {},
    {"Authorization": ""},
    {"Authorization": "Bearer"},
    {"Authorization": "Bearer "},
    {"Authorization": "Bearer wrong"},
    {"Authorization": "Basic good"},
    {"X-Tongban-Token": "good", "X-Tongban-Person": "p1"},
]
SIGNED_IN = {"Authorization": "Bearer good", "X-Tongban-Csrf": CSRF}
FORGED = [
    {},
    {"X-CSRF-Token": ""},
    {"X-CSRF-Token": "wrong"},
    {"X-CSRF-Token": "密"},
    {"X-CSRF-Token": CSRF[:-1]},
    {"X-CSRF-Token": CSRF, "Origin": "https://evil.example"},
    {"X-CSRF-Token": CSRF, "Origin": "null"},
    {"X-CSRF-Token": CSRF, "Sec-Fetch-Site": "cross-site"},
    {"X-CSRF-Token": CSRF, "Sec-Fetch-Site": "same-site"},
]


@pytest.fixture(scope="module", params=UNITS)
def app(request):
    """The pages of each unit in turn."""
    with application(request.param) as made:
        yield made


def test_what_is_public_is_listed_and_changes_nothing(app):
    opened = [endpoint for endpoint, _, _ in table(app) if is_public(app, endpoint)]
    for endpoint, _, methods in table(app):
        # A view that is merely called `static` would be let through by the guard.
        assert not endpoint.endswith("static") or is_static(app, endpoint)
        assert endpoint not in opened or not methods & set(UNSAFE)


def test_every_route_answers_401_without_a_token(app):
    asked, browser = 0, app.test_client()
    for endpoint, path, _ in table(app):
        if is_public(app, endpoint):
            continue
        for verb in VERBS:
            for headers in WRONG_TOKENS[:1] if verb != "POST" else WRONG_TOKENS:
                answer = browser.open(path, method=verb, headers=headers)
                assert answer.status_code == 401, (verb, path, headers)
                asked += 1
    assert asked
    print(f"{app.name}: {asked} requests without a token, all 401")


def test_every_unsafe_route_is_refused_without_csrf(app):
    """# check 13"""
    asked, browser = 0, app.test_client()
    for endpoint, path, methods in table(app):
        if is_public(app, endpoint):
            continue
        for verb in sorted(methods & set(UNSAFE)):
            for headers in FORGED:
                answer = browser.open(
                    path, method=verb, headers={**SIGNED_IN, **headers}, data={"title": "x"}
                )
                assert answer.status_code == 403, (verb, path, headers)
                asked += 1
            # Without the token of the edge nothing is right, not even nothing.
            nothing = browser.open(
                path, method=verb, headers={"Authorization": "Bearer good", "X-CSRF-Token": ""}
            )
            assert nothing.status_code == 403, (verb, path)
            # The proof that it was the token that was missing: with it, the same request gets further.
            right = browser.open(
                path, method=verb, headers={**SIGNED_IN, "X-CSRF-Token": CSRF, "Origin": "http://localhost"}
            )
            assert "页面已过期" not in right.text, (verb, path)
    print(f"check 13: {app.name}: {asked} forged requests, {asked} x 403")


# --- The gateway

GATEWAY_OPEN = {
    "healthz": "for the supervisor",
    "auth.login": "begins a login",
    "auth.callback": "ends one; bound to the browser by a sealed cookie and to one use by its state",
    "auth.logout": "without a session there is nothing to end",
    "edge.unauthenticated": "what the edge shows to whoever has no session",
    "edge.enter": "takes a ticket, which is used up by that",
    "backchannel.logout": "takes Keycloak's signed logout token and nothing else",
    "description.document": "the API's description, without anybody's data",
    "description.page": "the same for people",
    "description.static": "its script and style",
}


@pytest.fixture
def gateway(tmp_path, monkeypatch):
    monkeypatch.setenv("TONGBAN_RATE_ADDRESS", "100000")
    monkeypatch.setenv("TONGBAN_RATE_PERSON", "100000")
    made = fakes.parts(tmp_path)
    all_routes, upstream = routes.load(), fakes.FakeUpstream()
    flask = create(made, all_routes, upstream)
    made.oidc.check_logout_token = Verifier().verify
    cookie = fakes.logged_in(made)
    return flask, all_routes, upstream, made.sessions.find(cookie), f"{cookies.SESSION}={cookie}"


def test_the_gateway_opens_what_is_listed_and_no_more(gateway):
    flask, _, upstream, _, _ = gateway
    browser = flask.test_client(use_cookies=False)
    for endpoint, path, methods in table(flask):
        for verb in sorted(methods - {"OPTIONS"}):
            answer = browser.open(path, method=verb, base_url=fakes.PUBLIC)
            closed = endpoint not in GATEWAY_OPEN or (
                endpoint == "edge.unauthenticated" and verb not in ("GET", "HEAD")
            )
            assert (answer.status_code == 401) == closed, (verb, path, answer.status_code)
            assert answer.status_code < 500, (verb, path)
    assert set(GATEWAY_OPEN) <= {endpoint for endpoint, _, _ in table(flask)}
    assert not upstream.calls


def test_every_route_of_the_api_answers_401_without_a_session_or_token(gateway):
    flask, all_routes, upstream, _, _ = gateway
    browser = flask.test_client(use_cookies=False)
    asked = 0
    for route in all_routes.all:
        for headers in (
            *WRONG_TOKENS,
            {"Cookie": f"{cookies.SESSION}={'x' * 43}"},
            {"Cookie": "tongban=good"},
        ):
            answer = browser.open(_path(route), method=route.verb, headers=headers, base_url=fakes.PUBLIC)
            assert answer.status_code == 401, (route.template.text, headers)
            asked += 1
    assert not upstream.calls
    print(f"{asked} requests over {len(all_routes.all)} routes, all 401")


def test_every_unsafe_route_of_the_api_is_refused_without_csrf(gateway):
    """# check 13: with the session's cookie, which a browser sends by itself."""
    flask, all_routes, upstream, session, cookie = gateway
    browser = flask.test_client(use_cookies=False)
    places = [(route.verb, _path(route)) for route in all_routes.all if route.unsafe]
    places += [("POST", "/auth/logout"), ("POST", "/auth/app-ticket")]
    forged = [
        {name: value.replace(CSRF, session.csrf) for name, value in headers.items()} for headers in FORGED
    ]
    for verb, path in places:
        for headers in forged:
            answer = browser.open(
                path, method=verb, headers={"Cookie": cookie, **headers}, json={}, base_url=fakes.PUBLIC
            )
            assert answer.status_code == 403, (verb, path, headers, answer.status_code)
    assert not upstream.calls
    asked = len(places) * len(forged)
    print(f"check 13: gateway: {len(places)} unsafe routes, {asked} forged requests, all 403")


def test_a_bearer_token_does_not_lend_the_cookie_its_rights(gateway):
    """Who sends an Authorization header is judged by it alone: it is no way around CSRF."""
    flask, all_routes, upstream, _, cookie = gateway
    browser = flask.test_client(use_cookies=False)
    for route in all_routes.all:
        if route.unsafe:
            headers = {"Cookie": cookie, "Authorization": "Bearer x"}
            answer = browser.open(
                _path(route), method=route.verb, headers=headers, json={}, base_url=fakes.PUBLIC
            )
            assert answer.status_code == 401
    assert not upstream.calls


def _path(route):
    text = route.template.text
    while "{" in text:
        start, _, rest = text.partition("{")
        text = f"{start}1{rest.partition('}')[2]}"
    return text


@pytest.mark.parametrize("verb", VERBS)
def test_the_proxy_of_legacy_systems_admits_nobody_without_a_token(verb):
    def never(*_):
        raise AssertionError("it must not be asked")

    proxy = Proxy(None, never, Verifier().verify, "apps.test", "https://test")
    environ = {
        "REQUEST_METHOD": verb, "PATH_INFO": "/_apps/oa/x", "HTTP_HOST": "oa.apps.test",
        "HTTP_X_TONGBAN_APP": "oa", "HTTP_X_TONGBAN_PERSON": "p1", "HTTP_REMOTE_USER": "p1",
    }  # fmt: skip
    for authorization in ("", "Bearer ", "Bearer wrong", "Basic good"):
        answered: list[str] = []
        start = partial(_start, answered)
        list(proxy({**environ, "HTTP_AUTHORIZATION": authorization}, start))
        assert answered[0].startswith("401")


def _start(answered, status, _headers):
    answered.append(status)
