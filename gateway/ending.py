"""Ends logins: at Keycloak first, then here, then it is told to everybody.

The order matters: a Keycloak session that lived on would let the next login carry the same session id, which
everybody refuses by then.
"""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Protocol

from chassis import log
from chassis.errors import Unavailable
from gateway.sessions import Session, Sessions

TRIES, PAUSE = 60, 10.0  # how often, and after how many seconds, Keycloak is asked again while it is away
_log = log.get(__name__)


class Ender(Protocol):
    """What this module needs of oidc.Oidc."""

    def end(self, refresh_token: str) -> None:
        """End the Keycloak session."""


class Ending:
    """Logout, whoever asks for it."""

    def __init__(self, oidc: Ender) -> None:
        self._oidc = oidc
        self._pool = ThreadPoolExecutor(4, thread_name_prefix="ending")

    def leave(self, sessions: Sessions, session: Session) -> None:
        """End the login of `session`.

        While Keycloak is away only this session ends at once, and the rest when Keycloak is back.
        """
        sessions.forget(session.key)
        try:
            self._oidc.end(session.refresh)
        except Unavailable as problem:
            _log.warning("logout waits for identity provider", person=session.person, problem=str(problem))
            # A thread that does not hold back the end of the process, as one of the pool would.
            threading.Thread(target=self._retry, args=(sessions, session), daemon=True).start()
            return
        sessions.end_login(session.login)
        _log.info("logout", person=session.person)

    def later(self, sessions: Sessions, session: Session) -> None:
        """The same without waiting for it."""
        self._pool.submit(self.leave, sessions, session)

    def _retry(self, sessions: Sessions, session: Session) -> None:
        for _ in range(TRIES):
            time.sleep(PAUSE)
            try:
                self._oidc.end(session.refresh)
            except Unavailable:
                continue
            sessions.end_login(session.login)
            _log.info("logout", person=session.person)
            return
        _log.error("logout never reached the identity provider", person=session.person)
