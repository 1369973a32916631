"""What Keycloak's own records ask for."""

from __future__ import annotations

import pytest

from chassis.errors import Unavailable
from portal.directory import watching
from portal.directory.watching import Findings, Watcher, weigh

OWN = "the-portal"


def administration(operation, path, by="somebody", at=5):
    return {
        "operationType": operation,
        "resourcePath": path,
        "authDetails": {"userId": by},
        "time": at,
        "id": path,
    }


def event(kind, reason="", session="s1", error=""):
    said = {"type": kind, "sessionId": session, "details": {"reason": reason}, "error": error}
    return {**said, "time": 5, "id": kind}


@pytest.mark.parametrize(
    ("made", "found"),
    [
        (administration("UPDATE", "users/p1"), Findings(people={"p1": 5})),
        (administration("DELETE", "users/p1/role-mappings/realm"), Findings(people={"p1": 5})),
        (administration("DELETE", "users/p1/groups/g1"), Findings(people={"p1": 5})),
        (administration("ACTION", "users/p1/reset-password"), Findings(people={"p1": 5})),
        (administration("DELETE", "users/p1"), Findings(gone={"p1"})),
        (administration("DELETE", "sessions/s1"), Findings(logins={"s1"})),
        (administration("DELETE", "sessions/s1", by=OWN), Findings(logins={"s1"})),
        (administration("UPDATE", "users/p1", by=OWN), Findings()),
        (administration("CREATE", "users/p1/groups/g1"), Findings()),
        (administration("ACTION", "users/p1/logout"), Findings()),
        (administration("UPDATE", "clients/c1"), Findings()),
    ],
)
def test_what_an_administrator_did(made, found):
    """# check 9"""
    assert weigh([made], [], OWN) == found


@pytest.mark.parametrize(
    ("made", "logins"),
    [
        (event("LOGOUT"), {"s1"}),
        (event("REFRESH_TOKEN_ERROR", "Maximum allowed refresh token reuse exceeded"), {"s1"}),
        (event("REFRESH_TOKEN_ERROR", "Token is not active"), set()),
        (event("CODE_TO_TOKEN_ERROR", error="invalid_code"), {"s1"}),
        (event("CODE_TO_TOKEN_ERROR", error="invalid_redirect_uri"), set()),
        (event("LOGOUT", session=None), set()),
    ],
)
def test_what_happened_at_the_sign_in(made, logins):
    """# check 10, 15"""
    assert weigh([], [made], OWN) == Findings(logins=logins)


def test_of_several_changes_the_last_counts():
    assert weigh([administration("UPDATE", "users/p1", at=at) for at in (3, 9, 4)], [], OWN).people == {
        "p1": 9
    }


@pytest.fixture
def keycloak(monkeypatch):
    """Keycloak's administration as a table: path → answer, or the exception that it raises."""
    answers = {"admin-events": [], "events": []}

    def call(_admin, method, path, **options):
        answer = answers.get(path, [])
        if isinstance(answer, Exception):
            raise answer
        if path.endswith("events"):
            since = [event for event in answer if event["time"] >= options["dateFrom"]]
            return since[options["first"] : options["first"] + options["max"]]
        if method == "delete":
            answers.setdefault("ended", []).append(path)
        return answer

    monkeypatch.setattr(watching, "realm_call", call)
    return answers


@pytest.fixture
def watcher():
    made = Watcher(None)
    made._admin, made._own, made._since = object(), OWN, 10_000
    return made


def test_an_event_is_seen_to_once_and_again_when_it_was_not_seen_to(keycloak, watcher):
    """# check 9"""
    keycloak["admin-events"] = [
        administration("DELETE", f"sessions/s{number}", at=10_000 + number) for number in range(250)
    ]
    assert len(watcher.look().logins) == 250
    assert len(watcher.look().logins) == 250, "the broker was away, say"
    watcher.done()
    assert not watcher.look().logins
    keycloak["admin-events"].append(administration("DELETE", "sessions/late", at=10_100))
    assert watcher.look().logins == {"late"}, "visible later than younger ones"
    watcher.done()
    keycloak["admin-events"].append(administration("DELETE", "sessions/next", at=60_000))
    assert watcher.look().logins == {"next"}
    watcher.done()
    assert list(watcher._seen) == ["sessions/next"]


def test_a_session_that_is_younger_than_the_change_stays(keycloak, watcher):
    """# check 9"""
    keycloak["admin-events"] = [
        administration("UPDATE", "users/p1", at=20_000),
        administration("UPDATE", "users/lost", at=20_000),
    ]
    keycloak["users/p1/sessions"] = [{"id": "old", "start": 20_000}, {"id": "new", "start": 20_001}]
    keycloak["users/lost/sessions"] = Unavailable("IDENTITY_REFUSED", "", "get users/lost/sessions: 404")
    assert watcher.look().logins == {"old"}
    assert "ended" not in keycloak, "not before everybody was told"
    watcher.done()
    assert keycloak["ended"] == ["sessions/old"]
    watcher._seen.clear()
    keycloak["users/lost/sessions"] = Unavailable("IDENTITY_UNAVAILABLE", "", "away")
    with pytest.raises(Unavailable):
        watcher.look()
