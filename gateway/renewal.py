"""Keeps the tokens of a session fresh: once at a time, over all threads and processes, ahead of their end.

A refresh token works once, so two renewals at a time would end the login. Who writes `renewing` into the
record first, renews; the others go on with the present access token or wait. A refresh token that Keycloak may have
used up without our having its answer is not shown to it again: it would take us for a thief and end the login
(check 10). That is noted before Keycloak is asked, for the process may be killed while it waits. Such a session lasts as
long as its access token. The next page signs in anew before that, without a password, if Keycloak is there (edge_answers).
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Protocol

from chassis import log
from chassis.errors import Conflict, Unavailable
from chassis.store import Record
from gateway.oidc import Refused, Tokens, Unanswered
from gateway.sessions import Session, Sessions

AT_ONCE = 10.0  # seconds before the end below which the caller waits for it
LEASE = 20.0  # seconds after which a renewal that did not report is given up; longer than oidc waits for an answer
WAIT = 10.0  # seconds that a caller waits for somebody else's renewal
PAUSE = 15.0  # seconds after which a renewal for which Keycloak was away is tried again
_log = log.get(__name__)


class Refresher(Protocol):
    """What this module needs of oidc.Oidc."""

    def refresh(self, refresh_token: str) -> Tokens:
        """New tokens for old."""


class _Busy(Exception):
    """Somebody else renews this session, or has done so."""


class Renewal:
    """Hands out sessions whose access token is valid."""

    def __init__(
        self, sessions: Sessions, oidc: Refresher, over: Callable[[Session], None] = lambda _session: None
    ) -> None:
        self._over = over
        self._sessions = sessions
        self._oidc = oidc
        self._pool = ThreadPoolExecutor(2, thread_name_prefix="renewal")
        self._under_way: set[str] = set()
        self._lock = threading.Lock()

    def fresh(self, session: Session) -> Session | None:
        """`session` with an access token that is valid; None when the login is over or cannot be renewed."""
        now = time.time()
        if now < session.renew_at:
            return session
        if session.lost:
            return _lasting(session)
        if session.access_until - now > AT_ONCE:
            self._later(session.key)
            return session
        return self._now(session.key)

    def _later(self, key: str) -> None:
        with self._lock:
            if key in self._under_way:
                return
            self._under_way.add(key)

        def job() -> None:
            try:
                self._now(key)
            except Exception:  # noqa: BLE001 - nobody else would hear of a problem in this thread
                _log.exception("renewal failed")
            finally:
                with self._lock:
                    self._under_way.discard(key)

        self._pool.submit(job)

    def _now(self, key: str) -> Session | None:
        until = time.monotonic() + WAIT
        while True:
            session = self._sessions.get(key, touch=False, believe=False)
            if session is None or time.time() < session.renew_at:
                return session
            if session.lost:
                return _lasting(session)
            try:
                mine = self._sessions.change(key, _lease)
            except (_Busy, Conflict):
                if session.access_until > time.time():
                    return session
                if time.monotonic() > until:
                    return None
                time.sleep(0.1)
                continue
            return self._renew(mine) if mine else None

    def _renew(self, session: Session) -> Session | None:
        try:
            tokens = self._oidc.refresh(session.refresh)
        except Refused:
            _log.info("login over", person=session.person)
            self._sessions.forget(session.key)
            self._over(session)
            return None
        except Unanswered as problem:
            _log.warning("renewal unanswered", person=session.person, problem=str(problem))
            return _lasting(self._sessions.change(session.key, lambda record: record.update(renewing=0.0)))
        except Unavailable as problem:
            # The identity provider is away: who is logged in works on until the access token ends.
            _log.warning("renewal impossible", problem=str(problem))
            again = time.time() + PAUSE
            # Not asked for by each request meanwhile; but nobody waits for it whose token is about to end.
            again = again if session.access_until - AT_ONCE > again else 0.0
            self._sessions.change(session.key, lambda record: record.update(renewing=again, shown=False))
            return _lasting(session)
        return self._sessions.put_tokens(session.key, tokens)


def _lasting(session: Session | None) -> Session | None:
    # The record stays until it is replaced or idles out, for the sake of what is open in the browser.
    return session if session is not None and session.access_until > time.time() else None


def _lease(record: Record) -> None:
    now = time.time()
    # Shown: the refresh token, to Keycloak, by somebody who has not come back with an answer.
    if record["renewing"] > now or record["renew_at"] > now or record["shown"]:
        raise _Busy
    record.update(renewing=now + LEASE, shown=True)
