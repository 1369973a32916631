"""What Keycloak's own records ask for."""

from __future__ import annotations

import pytest

from portal.directory.watching import Findings, weigh

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
