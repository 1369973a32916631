"""A logout is finished sooner or later, whatever is away when it is asked for."""

from __future__ import annotations

import threading

import pytest

from chassis.errors import Unavailable
from gateway import ending
from gateway.tests.unit import fakes
from tests.inprocess import eventually


@pytest.fixture
def parts(tmp_path, monkeypatch):
    monkeypatch.setattr(ending, "PAUSE", 0.02)
    made = fakes.parts(tmp_path)
    yield made
    made.oidc.problem = None
    eventually(lambda: not made.ending._waiting)


def session(parts, login="login1"):
    parts.oidc.login = login
    return parts.sessions.find(fakes.logged_in(parts))


def told(parts):
    return {data.decode() for _, data in parts.bus.hints}


def test_logouts_while_keycloak_is_away_wait_in_one_thread(parts):
    going = [session(parts, f"login{number}") for number in range(30)]
    _ = parts.ending, parts.sessions
    threads = threading.active_count()
    parts.oidc.problem = Unavailable("IDENTITY_UNAVAILABLE", "")
    for one in going:
        parts.ending.leave(parts.sessions, one)
    assert threading.active_count() <= threads
    assert not told(parts)
    parts.oidc.problem = None
    eventually(lambda: told(parts) == {one.login for one in going})
    assert sorted(parts.oidc.ended) == sorted(one.refresh for one in going)


@pytest.mark.parametrize("way", ["leave", "later"])
@pytest.mark.parametrize("problem", [Unavailable("STORE_UNAVAILABLE", ""), ZeroDivisionError()])
def test_what_the_store_did_not_take_is_told_when_it_is_back(parts, monkeypatch, way, problem):
    one, two = session(parts), session(parts, "login2")
    end_login, problems = parts.sessions.end_login, [problem, problem]

    def away(login):
        if problems and login == "login1":
            raise problems.pop()
        end_login(login)

    monkeypatch.setattr(parts.sessions, "end_login", away)
    getattr(parts.ending, way)(parts.sessions, one)
    parts.ending.later(parts.sessions, two)
    eventually(lambda: told(parts) == {"login1", "login2"})


def test_what_waits_is_bounded_and_not_for_ever(parts, monkeypatch):
    monkeypatch.setattr(ending, "KEPT", 5)
    parts.oidc.problem = Unavailable("IDENTITY_UNAVAILABLE", "")
    for number in range(9):
        parts.ending.leave(parts.sessions, session(parts, f"login{number}"))
    assert [one.login for _, _, one in parts.ending._waiting.values()] == [f"login{n}" for n in range(4, 9)]
    monkeypatch.setattr(ending, "LONGEST", -1)
    parts.ending.later(parts.sessions, session(parts))
    eventually(lambda: not parts.ending._waiting)
