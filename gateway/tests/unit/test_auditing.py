"""What the gateway puts on record: logins and their ends, and what it refuses before any service hears of it. # check 74"""

from __future__ import annotations

import itertools
import threading
from dataclasses import replace

import pytest
from flask import g
from tongban.events.v1 import audit_pb2

from chassis.errors import NotSignedIn, Unavailable, forbidden
from chassis.spool import frames
from gateway import auditing, cookies
from gateway.tests.unit import fakes
from gateway.web import create
from tests.inprocess import eventually


class World:
    """A gateway whose broker is away, so that all it records lies in its spool."""

    def __init__(self, tmp_path):
        self.parts = fakes.parts(tmp_path)
        self.upstream = fakes.FakeUpstream()
        self.app = create(self.parts, fakes.sample_routes(), self.upstream)
        self.client = self.app.test_client()
        self.client.environ_base.update(HTTP_SEC_FETCH_SITE="same-origin", HTTP_X_REAL_IP="10.2.3.4")

    def sign_in(self):
        cookie = fakes.logged_in(self.parts)
        self.client.set_cookie(cookies.SESSION, cookie, domain="localhost", secure=True)
        return cookie

    def call(self, method, path, **how):
        return self.client.open(path, method=method, base_url=fakes.PUBLIC, **how)

    def records(self):
        """(action, result) of everything on record; each has its address and its time."""
        folder = self.parts.settings.own_var / "audit"
        kept = itertools.chain.from_iterable(frames(path.read_bytes()) for path in sorted(folder.glob("*")))
        self.last = [audit_pb2.AuditRecord.FromString(one) for one in kept]
        assert all(one.at.seconds and one.service == "gateway" for one in self.last)
        return [(one.action, one.result) for one in self.last]


@pytest.fixture
def world(tmp_path):
    made = World(tmp_path)
    yield made
    made.parts.audit.close()


def login(world, query):
    state = world.call("GET", "/auth/login?next=/x").location.partition("state=")[2]
    return world.call("GET", "/auth/callback" + query.format(state=state))


def test_a_login_and_a_logout(world):
    login(world, "?code=good&state={state}")
    csrf = world.call("GET", "/auth/me").json["csrf"]
    world.call("POST", "/auth/logout", data={"_csrf": csrf}, headers={"Origin": fakes.PUBLIC})
    assert world.records() == [("Login", "OK"), ("Logout", "OK")]
    first, last = world.last
    assert (first.person, first.name, first.unit, first.session) == ("p1", "张三", "fgw", "login1")
    assert (last.person, last.session, last.address, last.peer) == ("p1", "login1", "10.2.3.4", "127.0.0.1")
    # Keycloak tells of it as well: that is the same end, and one record.
    world.parts.oidc.check_logout_token = lambda token: {"sid": "login1", "jti": "j1"}
    world.call("POST", "/auth/backchannel-logout", data={"logout_token": "x"})
    assert len(world.records()) == 2


@pytest.mark.parametrize(
    "query", ["?code=bad&state={state}", "?code=good&state=x", "?error=denied&state={state}"]
)
def test_a_login_that_is_refused(world, query):
    assert login(world, query).status_code == 400
    assert world.records() == [("LoginRefused", "LOGIN_REFUSED")]
    assert world.last[0].code == "UNAUTHENTICATED"


def test_ends_that_nobody_asked_for(world, monkeypatch):
    world.sign_in()
    world.parts.oidc.check_logout_token = lambda token: {"sid": "login1", "jti": "j1"}
    world.call("POST", "/auth/backchannel-logout", data={"logout_token": "x"})
    assert world.records() == [("SessionEnded", "BY_IDENTITY_PROVIDER")]
    world.parts.verifier.ended.clear()
    world.sign_in()
    monkeypatch.setattr(world.parts.sessions, "_idle", -1)
    assert world.call("GET", "/auth/check").status_code == 401
    assert world.call("GET", "/auth/check").status_code == 401
    assert world.records()[1:] == [("SessionEnded", "IDLE")]
    assert world.last[-1].person == "p1"


def test_a_login_that_cannot_be_renewed(world):
    cookie = world.sign_in()
    session = world.parts.sessions.find(cookie)
    world.parts.oidc.live.clear()
    world.parts.sessions.change(session.key, lambda record: record.update(renew_at=0, access_until=0))
    assert world.call("GET", "/auth/check").status_code == 401
    assert world.records() == [("SessionEnded", "BY_IDENTITY_PROVIDER")]


def test_what_is_refused_here_and_what_a_service_refused(world):
    world.sign_in()
    assert world.call("POST", "/api/v1/sample/things/t1:close", json={}).status_code == 403
    assert world.records() == [("ApiRefused", "CSRF")]
    one = world.last[0]
    assert (one.person, one.object, one.address) == ("p1", "POST /api/v1/sample/things/t1:close", "10.2.3.4")

    def refuse(_route, _request):
        problem = forbidden()
        problem.remote = True  # as chassis.errors marks what came over the wire
        raise problem

    world.upstream.answer = refuse
    assert world.call("GET", "/api/v1/sample/things").status_code == 403
    assert len(world.records()) == 1, "the service's door has it on record"


def test_what_anybody_can_cause_is_counted(world, monkeypatch):
    for _ in range(20):
        assert world.call("GET", "/api/v1/sample/things").status_code == 401
    assert world.records() == [("ApiRefused", "NOT_SIGNED_IN")]
    monkeypatch.setattr(auditing, "WINDOW", 0.0)
    eventually(lambda: len(world.records()) == 2)
    assert world.records() == [("ApiRefused", "NOT_SIGNED_IN")] * 2
    assert {one.code for one in world.last} == {"UNAUTHENTICATED"}
    assert dict(world.last[1].details) == {"count": "19"}
    print("check 74: 20 calls without a login: 2 records, of 1 and of 19")


def anonymous(world, address):
    return world.call("GET", "/api/v1/sample/things", environ_base={"HTTP_X_REAL_IP": address}).status_code


def test_many_addresses_cost_no_threads_and_bounded_memory(world, monkeypatch):
    monkeypatch.setattr(auditing.limits, "KEPT", 10)
    anonymous(world, "2001:db8::1")
    threads = threading.active_count()
    for number in range(30):
        assert anonymous(world, f"2001:db8:{number}::1") == 401
        assert anonymous(world, f"2001:db8:{number}::2") == 401
    assert threading.active_count() <= threads
    # Ten networks, and one record for all the others; of none a second one within the minute.
    assert len(world.records()) == 11
    monkeypatch.setattr(auditing, "WINDOW", 0.0)

    def counted():
        world.records()
        return sum(int(one.details.get("count", 1)) for one in world.last)

    eventually(lambda: counted() == 61)
    assert len(world.last) == 22
    assert {one.address for one in world.last[11:]} >= {"2001:db8::/64", "2001:db8:8::/64"}


def test_counts_that_the_disk_does_not_take_wait_for_the_next_turn(world, monkeypatch):
    monkeypatch.setattr(auditing, "WINDOW", 0.0)
    monkeypatch.setattr(auditing, "LOOK", 3600)
    record, full = world.parts.audit.record, [True]

    def refuse(*given, **facts):
        if full:
            raise Unavailable("AUDIT_UNAVAILABLE", "")
        record(*given, **facts)

    monkeypatch.setattr(world.parts.audit, "record", refuse)
    refusals = auditing.Refusals(world.parts.audit)
    with world.app.test_request_context("/api/v1/sample/things", environ_base={"REMOTE_ADDR": "10.9.9.9"}):
        g.request_id = "r1"
        for _ in range(3):
            refusals.take(NotSignedIn("NOT_SIGNED_IN", ""))
    for _ in range(2):
        with pytest.raises(Unavailable):
            refusals.tell()
    full.clear()
    refusals.tell()
    assert world.records() == [("ApiRefused", "NOT_SIGNED_IN")]
    assert dict(world.last[0].details) == {"count": "3"}
    assert not refusals._counts


def test_too_many_requests_are_on_record(tmp_path, monkeypatch):
    monkeypatch.setenv("TONGBAN_RATE_ADDRESS", "1")
    monkeypatch.setenv("TONGBAN_BURST_ADDRESS", "3")
    world = World(tmp_path)
    world.sign_in()
    answers = [world.call("GET", "/api/v1/sample/things").status_code for _ in range(8)]
    assert 429 in answers
    assert world.records() == [("ApiRefused", "TOO_OFTEN")]
    assert world.last[0].code == "RESOURCE_EXHAUSTED"
    world.parts.audit.close()


def not_signed_in(_token):
    raise NotSignedIn("NOT_SIGNED_IN", "")


def test_a_logout_token_of_somebody_else(world):
    world.parts.oidc.check_logout_token = not_signed_in
    world.call("POST", "/auth/backchannel-logout", data={"logout_token": "x"})
    assert world.records() == [("LogoutTokenRefused", "NOT_SIGNED_IN")]


def test_refusals_stay_what_they_are_while_the_disk_takes_no_record(world, tmp_path):
    (tmp_path / "full").write_bytes(b"")
    world.parts.audit._settings = replace(world.parts.settings, var=tmp_path / "full")
    world.parts.oidc.check_logout_token = not_signed_in
    assert login(world, "?code=bad&state={state}").status_code == 400
    assert world.call("POST", "/auth/backchannel-logout", data={"logout_token": "x"}).status_code == 400
    assert world.call("GET", "/api/v1/sample/things").status_code == 401
    # What is done, and not refused, is not done without its record.
    assert login(world, "?code=good&state={state}").status_code == 503
    # The thread that tells of counted refusals lives on, and would complain to the end of the suite.
    world.parts.audit._settings = world.parts.settings


def test_no_token_and_no_cookie_is_on_record(world):
    """# check 74: a record holds no secret."""
    cookie = world.sign_in()
    world.call("GET", "/api/v1/sample/things", headers={"Authorization": "Bearer secret-token|login9|x"})
    world.call(
        "POST",
        "/api/v1/sample/things/t1:close",
        json={"title": "秘密内容"},
        headers={"X-CSRF-Token": "wrong"},
    )
    world.records()
    folder = world.parts.settings.own_var / "audit"
    data = b"".join(path.read_bytes() for path in folder.glob("*"))
    assert data
    for secret in (cookie, "secret-token", "秘密内容", "login9|x"):
        assert secret.encode() not in data
