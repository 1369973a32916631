import threading
import time

import pytest

from chassis.errors import InvalidInput
from gateway.entries import app_of_host
from gateway.sessions import digest
from gateway.tests.unit import fakes

APPS = "apps.localhost:8443"


@pytest.fixture
def parts(tmp_path):
    return fakes.parts(tmp_path)


def test_of_many_at_once_one_is_first(parts):
    found = []
    threads = [threading.Thread(target=lambda: found.append(parts.once.first("x", 60))) for _ in range(50)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(found) == 1


def test_used_things_are_forgotten_after_their_time(parts):
    parts.once.first("old", -1)
    parts.once.first("new", 60)
    assert parts.once.sweep() == 1
    assert not parts.once.first("new", 60)


def test_ticket_opens_its_own_host_once(parts):
    session = parts.sessions.find(fakes.logged_in(parts))
    ticket = parts.entries.ticket(session, "oa")
    assert parts.entries.enter(ticket, "other") == ""
    cookie = parts.entries.enter(ticket, "oa")
    assert cookie
    assert parts.entries.enter(ticket, "oa") == ""
    assert parts.entries.find(cookie, "oa").session.key == session.key
    assert parts.entries.find(cookie, "other") is None


def test_ticket_is_good_for_a_minute(parts):
    ticket = parts.entries.ticket(parts.sessions.find(fakes.logged_in(parts)), "oa")
    parts.store.collection("tickets").records[digest(ticket)]["until"] = time.time() - 1
    assert parts.entries.enter(ticket, "oa") == ""


def test_entry_dies_with_the_session(parts):  # check 8
    cookie = fakes.logged_in(parts)
    session = parts.sessions.find(cookie)
    waiting = parts.entries.ticket(session, "oa")
    entry = parts.entries.enter(parts.entries.ticket(session, "oa"), "oa")
    parts.sessions.end_login(session.login)
    assert parts.entries.find(entry, "oa") is None
    assert parts.entries.enter(waiting, "oa") == ""


@pytest.mark.parametrize("app", ["", "OA", "a.b", "a/b", "-a", "a" * 64, "a:b", "例"])
def test_bad_app_names_are_refused(parts, app):
    with pytest.raises(InvalidInput):
        parts.entries.ticket(parts.sessions.find(fakes.logged_in(parts)), app)


@pytest.mark.parametrize(
    ("host", "app"),
    [
        ("oa.apps.localhost:8443", "oa"),
        ("OA.apps.localhost:8443", "oa"),
        ("apps.localhost:8443", ""),
        ("a.b.apps.localhost:8443", ""),
        ("oa.apps.localhost", ""),
        ("oa.apps.localhost:8443.evil", ""),
        ("evil", ""),
        ("", ""),
        (".apps.localhost:8443", ""),
        ("o_a.apps.localhost:8443", ""),
    ],
)
def test_app_of_host(host, app):
    assert app_of_host(host, APPS) == app


def test_login_state_works_once_and_in_its_own_browser(parts):  # check 15
    login, cookie = parts.logins.start("", "/x")
    assert parts.logins.finish("", login.state)[0] is None
    assert parts.logins.finish(cookie, "other")[0] is None
    found, rest = parts.logins.finish(cookie, login.state)
    assert (found.target, rest) == ("/x", "")
    assert parts.logins.finish(cookie, login.state)[0] is None


def test_logins_of_several_tabs_do_not_disturb_each_other(parts):
    first, cookie = parts.logins.start("", "/1")
    second, cookie = parts.logins.start(cookie, "/2")
    found, cookie = parts.logins.finish(cookie, first.state)
    assert found.target == "/1"
    assert parts.logins.finish(cookie, second.state)[0].target == "/2"


def test_login_cookie_stays_small(parts):
    cookie = ""
    for _ in range(30):
        login, cookie = parts.logins.start(cookie, "/" + "x" * 1900)
        assert len(cookie) <= 3500
    assert parts.logins.finish(cookie, login.state)[0] is not None


@pytest.mark.parametrize("cookie", ["x", "A" * 100, "é", "%", "=" * 50])
def test_broken_login_cookie_is_no_login(parts, cookie):
    assert parts.logins.finish(cookie, "state")[0] is None
