"""Ends logins: at Keycloak first, then here, then it is told to everybody.

The order matters: a Keycloak session that lived on would let the next login carry the same session id, which
everybody refuses by then.

What cannot be done at once, because Keycloak or the store is away, waits here for one thread, which begins anew
until it is done: every step may be repeated.
"""

from __future__ import annotations

import atexit
import threading
import time
from collections import OrderedDict
from typing import Protocol

from chassis import log, loops
from chassis.errors import TimedOut, TongbanError, Unavailable
from gateway.sessions import Session, Sessions

PAUSE = 10.0  # seconds after which what was away is asked again
LONGEST = 10 * 3600.0  # seconds after which it is left alone: no refresh token lives longer
KEPT = 20_000  # logouts that may wait
_log = log.get(__name__)


class Ender(Protocol):
    """What this module needs of oidc.Oidc."""

    def end(self, refresh_token: str) -> None:
        """End the Keycloak session."""


class Ending:
    """Logout, whoever asks for it."""

    def __init__(self, oidc: Ender) -> None:
        self._oidc = oidc
        self._waiting: OrderedDict[str, tuple[float, Sessions, Session]] = OrderedDict()
        self._lock = threading.Lock()
        self._wake = threading.Event()
        loops.in_thread(self.work_off, None, PAUSE, trouble="logouts wait", wake=self._wake)
        atexit.register(self._give_up)

    def leave(self, sessions: Sessions, session: Session) -> None:
        """End the login of `session`.

        While Keycloak is away only this session ends at once, and the rest when Keycloak is back. Raises Unavailable when
        not even this session could be ended.
        """
        sessions.forget(session.key)
        try:
            self._end(sessions, session)
        except Exception as problem:  # noqa: BLE001 - whatever it is, the thread meets and tells it again
            _log.warning("logout waits", person=session.person, problem=str(problem))
            self.later(sessions, session)

    def later(self, sessions: Sessions, session: Session) -> None:
        """The same without waiting for it."""
        with self._lock:
            self._waiting[session.key] = (time.monotonic(), sessions, session)
            lost = self._waiting.popitem(last=False)[1][2] if len(self._waiting) > KEPT else None
        if lost:
            _log.error("logout given up, too many wait", person=lost.person)
        self._wake.set()

    def work_off(self) -> None:
        """End all that waits.

        Raises Unavailable, TimedOut: then nothing else would fare better. Any other problem is one logout's own, and is raised after
        the others.
        """
        trouble: Exception | None = None
        for key, (since, sessions, session) in self._taken():
            try:
                sessions.forget(key)
                self._end(sessions, session)
            except Exception as problem:
                if time.monotonic() - since > LONGEST:
                    _log.error("logout never reached the identity provider", person=session.person)
                elif isinstance(problem, (Unavailable, TimedOut)):
                    raise
                else:
                    trouble = problem
                    continue
            with self._lock:
                self._waiting.pop(key, None)
        if trouble:
            raise trouble

    def _taken(self) -> list[tuple[str, tuple[float, Sessions, Session]]]:
        with self._lock:
            return list(self._waiting.items())

    def _end(self, sessions: Sessions, session: Session) -> None:
        self._oidc.end(session.refresh)
        sessions.end_login(session.login)
        _log.info("logout", person=session.person)

    def _give_up(self) -> None:
        """At the end of the process: one more try, and then what is left runs out by itself at Keycloak."""
        try:
            self.work_off()
        except TongbanError as problem:
            _log.error("logouts left undone", logins=len(self._waiting), problem=str(problem))
