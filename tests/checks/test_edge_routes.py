"""The tables of all routes through the real edge: forged requests, and headers by which somebody says who they are."""

from __future__ import annotations

import pytest

from gateway import routes
from tests.checks.platform import Doors, subject
from tests.rules.apps import UNITS, application, is_public, table

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]
UNSAFE = {"POST", "PUT", "PATCH", "DELETE"}


@pytest.fixture(scope="module")
def pages():
    """(path, methods) of every route of every unit's pages that wants a login."""
    found = []
    for unit in UNITS:
        with application(unit) as app:
            found += [
                (path, methods) for endpoint, path, methods in table(app) if not is_public(app, endpoint)
            ]
    return found


@pytest.fixture(scope="module")
def api():
    """(path, method) of every route of the API, and of what the gateway has beside it."""
    found = [(_path(route.template.text), route.verb) for route in routes.load().all]
    return [*found, ("/auth/logout", "POST")]


def _path(text):
    while "{" in text:
        start, _, rest = text.partition("{")
        text = f"{start}1{rest.partition('}')[2]}"
    return text


def test_forged_writes_are_refused_at_the_edge(pages, api, browsers):
    """# check 13: the cookie alone, which a browser sends by itself; wrong tokens; pages of other sites with a stolen one."""
    browser = browsers("qfb.wenshu")
    writes = [(path, verb) for path, methods in pages for verb in sorted(methods & UNSAFE)]
    writes += [(path, verb) for path, verb in api if verb in UNSAFE]
    forged = [
        {}, {"X-CSRF-Token": "wrong"}, {"X-CSRF-Token": browser.csrf, "Origin": "https://evil.example"},
        {"X-CSRF-Token": browser.csrf, "Sec-Fetch-Site": "cross-site"}, {"X-Tongban-Csrf": "x", "X-CSRF-Token": "x"},
    ]  # fmt: skip
    wrong = []
    for path, verb in writes:
        for headers in forged:
            body = {"json": {}} if path.startswith("/api/") else {"data": {"title": "x"}}
            code = browser.ask(verb, path, headers=headers, **body).status_code
            if code != 403:
                wrong.append((verb, path, headers, code))
    assert not wrong
    assert browser.get("/auth/me").status_code == 200, "a forged logout ended the session"
    print(
        f"check 13: {len(writes)} unsafe routes through the edge, {len(writes) * len(forged)} forged requests, all 403"
    )


def spoofed(person, token):
    """What somebody may send who wants to be taken for `person`, in every spelling that a server might fold."""
    headers = {}
    for name, value in {
        "X-Tongban-Person": person, "X-Tongban-Token": token, "X-Tongban-Csrf": "x", "X-User": person, "X-User-Id": person,
        "X-Username": "sysadmin", "X-Remote-User": person, "Remote-User": person, "X-Forwarded-User": person,
        "X-Forwarded-Preferred-Username": "sysadmin", "X-Forwarded-Access-Token": token, "X-Auth-Request-User": person,
        "X-Authenticated-User": person, "X-Forwarded-Email": "a@b", "X-Roles": "system_administrator",
        "X-Forwarded-For": "127.0.0.1", "X-Real-IP": "127.0.0.1", "X-Forwarded-Host": "evil.example",
        "X-Original-URL": "/healthz", "X-Rewrite-URL": "/healthz", "X-SSL-Client-S-DN": f"CN={person}", "Forwarded": "for=127.0.0.1",
        "X-Tongban-App": "oldsite", "X-Tongban-Uri": "//evil.example", "X-Http-Method-Override": "GET",
    }.items():  # fmt: skip
        headers[name] = headers[name.replace("-", "_")] = value
        headers[name.lower().replace("-", ".")] = value
    return headers


@pytest.fixture(scope="module")
def victim(people):
    """Person and token of the system administrator, as whom somebody wants to come in."""
    token = people.token("sysadmin")
    return subject(token), token


def test_headers_make_nobody_anybody(pages, api, stranger, victim):
    """# check 17: without a session, each route with every spoofed header: as without them."""
    # The token itself is a real one: what counts is that it does not come as a session or as Authorization.
    headers = spoofed(*victim)
    honoured, asked = [], 0
    for path, verb in [
        (path, verb) for path, methods in pages for verb in sorted(methods - {"HEAD", "OPTIONS"})
    ] + api:
        if path == "/auth/logout":
            continue
        answer = stranger.ask(verb, path, headers=headers)
        asked += 1
        asks_to_log_in = answer.status_code == 302 and "/auth/login?" in answer.headers["location"]
        if not asks_to_log_in and answer.status_code != 401:
            honoured.append((verb, path, answer.status_code))
        elif "evil.example" in str(answer.headers):
            honoured.append((verb, path, "evil.example"))
    assert not honoured
    print(f"check 17: {asked} routes without a session, {len(headers)} spoofed headers on each, 0 honoured")


def test_headers_make_nobody_somebody_else(browsers, victim, pages):
    """# check 17: with a session the reader stays who they are, on every page that can be read."""
    browser, headers = browsers("fgw.wenshu"), spoofed(*victim)
    me = browser.get("/auth/me").json()
    assert browser.get("/auth/me", headers=headers).json() == me
    assert browser.get("/api/v1/portal/dead-letters", headers=headers).status_code == 403
    asked = 0
    for path, methods in pages:
        if "GET" in methods:
            plain = browser.get(path).status_code
            assert browser.get(path, headers=headers).status_code == plain, path
            asked += 1
            if path.startswith("/administration"):
                assert plain == 403, path
    print(
        f"check 17: {asked} pages with a session of a clerk and the administrator's headers: the clerk's answers"
    )


def test_metadata_makes_nobody_anybody(stack, people, victim):
    """# check 17: the same as gRPC metadata on every method of every service."""
    doors = Doors(stack)
    person, token = victim
    names = [
        name.lower()
        for name in spoofed("x", "y")
        if name.replace("-", "").replace("_", "").replace(".", "").isalnum()
    ]
    lies = [(name, person) for name in names] + [
        ("x-tongban-token", token), ("x-roles", "system_administrator"), ("x-user-bin", person.encode()), ("service", "portal"),
        ("tongban-actor", person), ("tongban-principal", person), ("x-person", person), ("x-forwarded-access-token", token),
        ("cookie", "__Host-tongban=x"), ("proxy-authorization", f"Bearer {token}"), ("x-tongban-demo-time", "2026-01-01T00:00:00Z"),
    ]  # fmt: skip
    # In portions: a server takes 8 kB of metadata, and refuses more whatever it says.
    portions = [lies[start : start + 24] for start in range(0, len(lies), 24)]
    clerk = ("authorization", f"Bearer {people.token('fgw.wenshu')}")
    for_administrators = {
        "ListDeadLetters",
        "ReplayDeadLetter",
        "SaveUnits",
        "SavePeople",
        "SaveRights",
        "SaveApp",
        "RemoveApp",
        "ListReceipts",
    }
    without, refused = 0, 0
    for unit, method in doors.methods():
        for portion in portions:
            assert doors.ask(unit, method, portion).name == "UNAUTHENTICATED", method.full_name
            without += 1
            if unit == "portal" and method.name in for_administrators:
                # The stated time is signed, so a lie about it is refused as such, before anything else.
                told = [clerk, *(one for one in portion if one[0] != "x-tongban-demo-time")]
                assert doors.ask(unit, method, told).name == "PERMISSION_DENIED", method.full_name
                refused += 1
    doors.close()
    print(
        f"check 17: {without} calls with {len(lies)} lies as metadata, 0 honoured; {refused} calls of a clerk refused"
    )
