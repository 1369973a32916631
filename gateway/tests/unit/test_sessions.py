import threading
import time
from dataclasses import replace

import pytest

from chassis.errors import Unavailable
from gateway import sessions as sessions_module
from gateway.oidc import Refused, Unanswered
from gateway.renewal import AT_ONCE
from gateway.sealing import Broken, Seal
from gateway.sessions import digest
from gateway.stream import RECHECK
from gateway.tests.unit import fakes
from portal.setup.realm import realm
from tests.inprocess import eventually


@pytest.fixture
def parts(tmp_path):
    return fakes.parts(tmp_path)


def records(parts):
    return parts.store.collection("sessions").records


def test_cookie_and_tokens_are_not_in_the_store(parts):  # check 87
    cookie = fakes.logged_in(parts)
    session = parts.sessions.find(cookie)
    stored = repr(records(parts))
    for secret in (cookie, session.access, session.refresh, session.csrf):
        assert secret not in stored
    assert list(records(parts)) == [digest(cookie)]


def test_unknown_cookies_find_nothing(parts):
    fakes.logged_in(parts)
    for cookie in ("", "x", "x" * 43, "x" * 5000, digest("x"), "\udcff" * 43, next(iter(records(parts)))):
        assert parts.sessions.find(cookie) is None


def test_sealed_bytes_open_in_their_own_record_only():
    seal = Seal("secret", "session")
    sealed = seal.close({"a": 1}, "here")
    assert seal.open(sealed, "here") == {"a": 1}
    for other, place, data in (
        (seal, "there", sealed),
        (Seal("other", "session"), "here", sealed),
        (seal, "here", sealed[:-1] + b"x"),
        (seal, "here", b""),
    ):
        with pytest.raises(Broken):
            other.open(data, place)


def test_session_of_an_earlier_secret_is_gone(parts, tmp_path):
    cookie = fakes.logged_in(parts)
    (tmp_path / "gateway-client-secret").write_text("another")
    later = fakes.parts(tmp_path)
    later.__dict__["store"] = parts.store
    (tmp_path / "gateway-client-secret").write_text("another")
    assert later.sessions.find(cookie) is None


@pytest.mark.parametrize(("field", "seconds"), [("seen", 31 * 60), ("created", 11 * 3600)])
def test_idle_and_old_sessions_end_and_keycloak_is_told(parts, field, seconds):  # check 82
    cookie = fakes.logged_in(parts)
    key = digest(cookie)
    records(parts)[key][field] -= seconds
    assert parts.sessions.find(cookie) is None
    assert key not in records(parts)
    eventually(lambda: not parts.ending._waiting)
    assert parts.oidc.ended == ["refresh-token-1"]
    assert parts.bus.hints == [("tongban.session.ended", b"login1")]


def test_use_is_noted_once_a_minute(parts):
    cookie = fakes.logged_in(parts)
    key = digest(cookie)
    parts.sessions.find(cookie)
    assert records(parts)[key]["revision"] == 1
    records(parts)[key]["seen"] -= 70
    parts.sessions.drop_remembered("login1")
    parts.sessions.find(cookie, touch=False)
    assert records(parts)[key]["revision"] == 1
    parts.sessions.find(cookie)
    assert records(parts)[key]["revision"] == 2
    assert time.time() - records(parts)[key]["seen"] < 5


def test_end_of_login_ends_all_its_sessions(parts):
    first, second = fakes.logged_in(parts), fakes.logged_in(parts)
    assert parts.sessions.end_login("login1") == 2
    assert parts.alive(parts.sessions.find(first)) is None
    assert parts.alive(parts.sessions.find(second)) is None
    assert not records(parts)
    assert not parts.store.collection("logins").records


def test_replaced_session_is_not_announced(parts):
    """The next login may carry the same Keycloak session id, which must not be refused for it."""
    cookie = fakes.logged_in(parts)
    parts.sessions.forget(digest(cookie))
    assert parts.bus.hints == []
    assert parts.sessions.find(cookie) is None


def test_logout_while_keycloak_is_away_ends_this_session(parts):
    cookie = fakes.logged_in(parts)
    parts.oidc.problem = Unavailable("X", "x")
    parts.ending.leave(parts.sessions, parts.sessions.find(cookie))
    assert parts.sessions.find(cookie) is None
    assert parts.bus.hints == []
    parts.oidc.problem = None
    parts.ending.work_off()
    assert parts.bus.hints


def test_sweep_takes_only_what_is_past(parts):
    keep, old = fakes.logged_in(parts), fakes.logged_in(parts)
    records(parts)[digest(old)]["seen"] -= 3600
    assert parts.sessions.sweep() == 1
    assert list(records(parts)) == [digest(keep)]


def test_logins_with_many_sessions_keep_the_newest(parts):
    for _ in range(12):
        fakes.logged_in(parts)
    assert len(parts.sessions.of_login("login1")) == sessions_module.PER_LOGIN


def expire(parts, cookie, left):
    record = records(parts)[digest(cookie)]
    record["access_until"] = time.time() + left
    record["renew_at"] = time.time() - 1
    parts.sessions.drop_remembered("login1")


def test_renewal_happens_ahead_in_the_background(parts):
    cookie = fakes.logged_in(parts)
    expire(parts, cookie, AT_ONCE + 20)
    session = parts.sessions.find(cookie)
    assert parts.renewal.fresh(session).access == session.access
    parts.renewal._pool.shutdown(wait=True)
    assert parts.sessions.find(cookie).refresh == "refresh-token-2"


def test_hundred_requests_renew_once(parts, tmp_path):  # check 10
    cookie = fakes.logged_in(parts)
    expire(parts, cookie, -5)
    parts.oidc.pause = 0.3
    # Two processes over one store, fifty threads each.
    other = fakes.parts(tmp_path)
    other.__dict__.update(store=parts.store, oidc=parts.oidc)
    found = []

    def ask(process):
        session = process.sessions.find(cookie)
        found.append(process.renewal.fresh(session))

    threads = [threading.Thread(target=ask, args=(process,)) for process in (parts, other) for _ in range(50)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert parts.oidc.refreshes == 2  # one at the login, one now
    assert {session.refresh for session in found} == {"refresh-token-2"}


def test_refused_renewal_ends_the_session_here(parts):
    cookie = fakes.logged_in(parts)
    expire(parts, cookie, 1)
    parts.oidc.problem = Refused("invalid_grant")
    assert parts.renewal.fresh(parts.sessions.find(cookie)) is None
    assert parts.sessions.find(cookie) is None


def test_a_token_that_may_be_used_up_is_not_shown_again(parts):  # check 10
    cookie = fakes.logged_in(parts)
    expire(parts, cookie, 600)
    asked, refresh = [], parts.oidc.refresh
    parts.oidc.problem = Unanswered("LOST", "")
    parts.oidc.refresh = lambda token: asked.append(token) or refresh(token)
    parts.renewal.fresh(parts.sessions.find(cookie))
    parts.renewal._pool.shutdown(wait=True)
    for _ in range(3):
        assert parts.renewal.fresh(parts.sessions.find(cookie)).access
    # Its last seconds too; nothing is asked in them.
    expire(parts, cookie, 1)
    records(parts)[digest(cookie)]["renew_at"] = time.time() + 1
    assert parts.renewal.fresh(parts.sessions.find(cookie)).access
    expire(parts, cookie, -1)
    for _ in range(2):
        assert parts.renewal.fresh(parts.sessions.find(cookie)) is None
    assert len(asked) == 1
    assert parts.oidc.ended == [], "Keycloak's session goes on: the next page signs in without a password"


def test_a_token_that_a_killed_process_showed_is_not_shown_again(parts, tmp_path):  # check 10, check 57
    cookie = fakes.logged_in(parts)
    expire(parts, cookie, 600)

    def killed(_token):
        raise SystemExit

    parts.oidc.refresh, refresh = killed, parts.oidc.refresh
    with pytest.raises(SystemExit):
        parts.renewal._now(digest(cookie))
    parts.oidc.refresh = lambda token: asked.append(token) or refresh(token)
    asked, later = [], fakes.parts(tmp_path)
    later.__dict__.update(store=parts.store, oidc=parts.oidc)
    assert later.renewal._now(digest(cookie)).access, "until its lease ends, somebody renews it"
    records(parts)[digest(cookie)]["renewing"] = time.time() - 1
    assert later.renewal._now(digest(cookie)).access
    expire(parts, cookie, -1)
    later.sessions.drop_remembered("login1")
    assert later.renewal.fresh(later.sessions.find(cookie)) is None
    assert asked == []
    assert parts.oidc.ended == []


def test_an_answer_that_was_lost_at_the_very_end_ends_the_session(parts):
    cookie = fakes.logged_in(parts)
    expire(parts, cookie, -1)
    parts.oidc.problem = Unanswered("LOST", "")
    assert parts.renewal.fresh(parts.sessions.find(cookie)) is None
    parts.oidc.problem = None
    assert parts.renewal.fresh(parts.sessions.find(cookie)) is None
    assert parts.oidc.refreshes == 1


def test_who_is_logged_in_works_on_while_keycloak_is_away(parts):  # check 64
    cookie = fakes.logged_in(parts)
    parts.oidc.problem = Unavailable("X", "x")
    expire(parts, cookie, 5)
    assert parts.renewal.fresh(parts.sessions.find(cookie)) is not None
    expire(parts, cookie, -1)
    assert parts.renewal.fresh(parts.sessions.find(cookie)) is None
    parts.oidc.problem = None
    assert parts.renewal.fresh(parts.sessions.find(cookie)).refresh == "refresh-token-2"


def test_a_token_is_renewed_while_it_still_lasts_ten_minutes_and_an_absent_keycloak_is_not_besieged(parts):
    """# check 64"""
    cookie = fakes.logged_in(parts)
    life = realm("tongban")["accessTokenLifespan"]
    parts.sessions.put_tokens(digest(cookie), replace(parts.oidc.tokens(), access_until=time.time() + life))
    assert life - RECHECK - (records(parts)[digest(cookie)]["renew_at"] - time.time()) > 600
    asked = []
    parts.oidc.problem = Unavailable("X", "x")
    refresh = parts.oidc.refresh
    parts.oidc.refresh = lambda token: asked.append(token) or refresh(token)
    expire(parts, cookie, 700)
    key = parts.sessions.find(cookie).key
    for _ in range(50):
        assert parts.renewal._now(key) is not None
    assert len(asked) == 1
