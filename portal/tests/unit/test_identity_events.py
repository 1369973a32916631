"""What Keycloak alone sees is on record once, whatever is read again; and what the proxy refuses. # check 74"""

from __future__ import annotations

import pytest

from chassis.errors import NotSignedIn, Unavailable
from chassis.identity_types import Principal
from chassis.parts import Parts
from chassis.tests.helpers import settings
from portal import identity_events
from portal.connectors.proxy import Proxy
from portal.identity_events import Collector
from portal.parts import PortalParts


class Cursors:
    """Keeps one record."""

    def __init__(self):
        self.kept = {}

    def get(self, key):
        return self.kept.get(key)

    def insert(self, record):
        self.kept[record["_id"]] = record

    def save(self, record, _events):
        self.kept[record["_id"]] = {**record, "revision": record["revision"] + 1}


class Audit:
    """Notes what is recorded."""

    def __init__(self):
        self.records = []

    def record(self, action, result="OK", **facts):
        self.records.append((action, result, facts))


@pytest.fixture
def world(monkeypatch):
    """Events as Keycloak gives them, in pages and from a time on."""
    events = []

    def call(_admin, method, path):
        assert method == "get"
        asked = dict(pair.split("=") for pair in path.partition("?")[2].split("&"))
        found = sorted(
            (one for one in events if one["time"] >= int(asked["dateFrom"])), key=lambda one: one["time"]
        )
        return found[int(asked["first"]) :][: int(asked["max"])]

    monkeypatch.setattr(identity_events, "realm_call", call)
    audit, cursors = Audit(), Cursors()
    return events, audit, cursors


def failed(number, **more):
    return {
        "id": f"e{number}", "time": 1_795_000_000_000 + number, "type": "LOGIN_ERROR", "error": "invalid_user_credentials",
        "clientId": "gateway", "ipAddress": "10.1.1.1", "userId": "u1", "details": {"username": "zhangsan", "code_id": "secret-code"},
        **more,
    }  # fmt: skip


def test_each_event_is_recorded_once_also_by_the_next_process(world):
    events, audit, cursors = world
    events += [failed(number) for number in range(450)]
    collector = Collector(audit, cursors)
    assert collector.read(None, "events") == 450
    assert collector.read(None, "events") == 0
    events.append(failed(450))
    assert collector.read(None, "events") == 1
    # The next process reads the last two minutes again; the chain knows them by their ids.
    assert Collector(audit, cursors).read(None, "events") == 451
    ids = {facts["id"] for _, _, facts in audit.records}
    assert len(ids) == 451
    action, result, facts = audit.records[0]
    assert (action, result, facts["person"], facts["name"]) == (
        "LOGIN_ERROR",
        "invalid_user_credentials",
        "u1",
        "zhangsan",
    )
    assert (facts["address"], facts["service"], facts["at_ms"]) == ("10.1.1.1", "keycloak", 1_795_000_000_000)
    assert facts["code"] == "UNAUTHENTICATED"
    assert "secret-code" not in str(audit.records)
    print("check 74: 451 events of the identity provider: each under one id")


def test_what_the_disk_did_not_take_is_recorded_by_the_next_look(world, monkeypatch):
    events, audit, cursors = world
    events += [failed(1), failed(2)]
    collector, refusals, record = (
        Collector(audit, cursors),
        [Unavailable("AUDIT_UNAVAILABLE", "")],
        audit.record,
    )

    def refuse_once(*given, **facts):
        if refusals:
            raise refusals.pop()
        record(*given, **facts)

    monkeypatch.setattr(audit, "record", refuse_once)
    with pytest.raises(Unavailable):
        collector.read(None, "events")
    assert collector.read(None, "events") == 2
    assert [facts["id"] for _, _, facts in audit.records] == ["keycloak:e1", "keycloak:e2"]


def test_what_others_have_on_record_is_not_repeated(world):
    events, audit, cursors = world
    events += [
        failed(1, type="LOGIN", error=None), failed(2, type="REFRESH_TOKEN", error=None), failed(3, type="LOGOUT", error=None),
        failed(4, type="LOGIN", error=None, clientId="another"), failed(5, type="UPDATE_PASSWORD", error=None),
    ]  # fmt: skip
    Collector(audit, cursors).read(None, "events")
    assert [(action, result) for action, result, _ in audit.records] == [
        ("LOGIN", "OK"),
        ("UPDATE_PASSWORD", "OK"),
    ]


def test_changes_by_administrators(world):
    events, audit, cursors = world
    by = {"realmId": "r1", "userId": "admin-1", "ipAddress": "10.1.1.2"}
    change = {
        "id": "a1",
        "time": 1_795_000_000_000,
        "realmId": "r1",
        "operationType": "UPDATE",
        "resourceType": "USER",
        "resourcePath": "users/u1",
    }
    events += [
        {**change, "authDetails": by}, {**change, "id": "a2", "authDetails": {**by, "userId": "own"}},
        {**change, "id": "a3", "authDetails": {**by, "realmId": "master"}},
    ]  # fmt: skip
    collector = Collector(audit, cursors)
    collector.own = "own"
    collector.read(None, "admin-events")
    said = [
        (facts["about"], facts["person"], facts["name"], facts["acting_service"])
        for _, _, facts in audit.records
    ]
    assert said == [
        ("users/u1", "admin-1", "", ""), ("users/u1", "own", "", "portal"), ("users/u1", "admin-1", identity_events.BOOTSTRAP, ""),
    ]  # fmt: skip


def refusing(told):
    """call(token) to a proxy behind which nothing is open; told(…): as Proxy's `refused`."""

    def verify(token):
        if token != "good":
            raise NotSignedIn("NOT_SIGNED_IN", "请先登录。")
        return Principal("p1", "张三")

    closed = type(
        "App", (), {"connector": type("C", (), {"kind": "form"}), "refusal": lambda *_: "未向您的单位开放"}
    )()
    proxy = Proxy(None, lambda _key: closed, verify, "apps.test", "https://test", told)
    environ = {
        "REQUEST_METHOD": "GET", "PATH_INFO": "/_apps/oa/x", "HTTP_HOST": "oa.apps.test", "HTTP_X_TONGBAN_APP": "oa",
        "HTTP_X_REAL_IP": "10.1.1.1",
    }  # fmt: skip
    answers = []

    def call(token):
        proxy({**environ, "HTTP_AUTHORIZATION": f"Bearer {token}"}, lambda status, *_: answers.append(status))
        return answers[-1][:3]

    return call


def test_what_the_proxy_of_legacy_systems_refuses_is_told():
    """# check 74"""
    told = []
    call = refusing(lambda *facts: told.append(facts))
    assert [call("wrong"), call("good")] == ["401", "403"]
    assert [(who, error.reason, *rest) for who, error, *rest in told] == [
        (None, "NOT_SIGNED_IN", "GET /_apps/oa/x", "10.1.1.1"),
        (Principal("p1", "张三"), "APP_NOT_ALLOWED", "GET /_apps/oa/x", "10.1.1.1"),
    ]


def test_what_the_full_disk_does_not_record_is_refused_all_the_same(tmp_path):
    (tmp_path / "var").write_bytes(b"")
    call = refusing(PortalParts(Parts(settings(tmp_path / "var"))).refused)
    assert [call("wrong"), call("good")] == ["401", "403"]
