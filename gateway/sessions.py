"""Browser sessions: one record each, found only by the SHA-256 of the cookie's value.

Tokens lie sealed in the record and never leave the server, but for the access token that the edge hands to
our own pages. A session ends by logout, by Keycloak's back-channel logout, by idling, by age, or when
Keycloak refuses to renew its tokens.
"""

from __future__ import annotations

import hashlib
import secrets
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from chassis.errors import Conflict
from chassis.records import attempts
from chassis.settings import number
from chassis.store import Record, Store
from chassis.sweeping import sweep
from gateway.oidc import Tokens
from gateway.sealing import Broken, Seal

REMEMBERED = 1.0  # seconds for which a record that was read is believed
KEPT = 20_000
TOUCH = 60.0  # seconds between two notes of the last use
# Seconds after which an access token is renewed, or two thirds of its life. It lives for much longer (portal/setup/realm.py), so that
# who is signed in works on for ten minutes without Keycloak.
RENEW_AFTER = 300.0
PER_LOGIN = 8  # gateway sessions that one Keycloak session may have


def digest(value: str) -> str:
    """The key of a record, from the secret that only the browser has."""
    return hashlib.sha256(value.encode("utf-8", "replace")).hexdigest()


def _busy() -> Conflict:
    return Conflict("SESSION_BUSY", "登录状态正在更新，请稍后再试。", "The session is being updated.")


@dataclass(frozen=True)
class Session:
    """A live session. `key` is the record's; `login` is Keycloak's session id (sid)."""

    key: str
    person: str
    login: str
    created: float
    seen: float
    csrf: str
    access: str
    access_until: float
    renew_at: float
    refresh: str
    # Whether nobody has the next refresh token (gateway.renewal): the session ends with its access token, if not replaced before.
    lost: bool


class Sessions:
    """All sessions. Safe for many threads and processes.

    ended: told the Keycloak session id of every login that is over, at Keycloak too. A session that is merely
    replaced or forgotten here is not announced, because the next login may carry the same Keycloak session id
    and must not be refused for it. expired: given each session that idled out or grew too old.
    """

    def __init__(
        self, store: Store, secret: str, ended: Callable[[str], None], expired: Callable[[Session], None]
    ) -> None:
        self._records = store.collection("sessions")
        self._logins = store.collection("logins")
        self._seal = Seal(secret, "session")
        self._ended = ended
        self._expired = expired
        self._idle = number("IDLE_MINUTES", 30) * 60
        self._longest = number("SESSION_HOURS", 10) * 3600
        self._known: OrderedDict[str, tuple[float, Session]] = OrderedDict()
        self._lock = threading.Lock()

    def open(self, tokens: Tokens, person: str, login: str, csrf: str = "") -> str:
        """A new session; returns the cookie's value, which is stored nowhere. csrf: the token of the session it replaces."""
        cookie, now = secrets.token_urlsafe(32), time.time()
        key = digest(cookie)
        self._records.insert(
            {
                "_id": key,
                "revision": 1,
                "schema": 1,
                "person": person,
                "login": login,
                "created": now,
                "seen": now,
                "renewing": 0.0,
                "shown": False,
                **self._sealed(key, tokens, csrf or secrets.token_urlsafe(32)),
            }
        )
        self._note_login(login, key)
        return cookie

    def find(self, cookie: str, *, touch: bool = True) -> Session | None:
        """The live session behind a cookie. `touch`: this use counts against idling."""
        return self.get(digest(cookie), touch=touch) if 20 <= len(cookie) <= 100 else None

    def get(self, key: str, *, touch: bool = True, believe: bool = True) -> Session | None:
        """The live session with this key; `believe` accepts what was read up to a second ago."""
        now = time.time()
        with self._lock:
            at, session = self._known.get(key, (0.0, None))
        if session is None or not believe or time.monotonic() - at > REMEMBERED:
            record = self._records.get(key)
            session = self._session(record) if record else None
            self._remember(key, session)
        if session is None:
            return None
        if now - session.seen > self._idle or now - session.created > self._longest:
            self.forget(key)
            self._expired(session)
            return None
        if touch and now - session.seen > TOUCH:
            self.change(key, lambda record: record.update(seen=now))
        return session

    def change(self, key: str, edit: Callable[[Record], object]) -> Session | None:
        """Edit the record by compare-and-set, again and again until it holds; `edit` may raise to give up.

        Returns the session afterwards, None when it is gone.
        """
        for saving in attempts():
            record = self._records.get(key)
            if record is None:
                self._remember(key, None)
                return None
            edit(record)
            with saving:
                self._records.save(record, [])
                session = self._session(record)
                self._remember(key, session)
                return session
        raise _busy()

    def put_tokens(self, key: str, tokens: Tokens) -> Session | None:
        """Exchange the tokens; the CSRF token stays."""

        def edit(record: Record) -> None:
            sealed = self._sealed(key, tokens, self._open(record)["csrf"])
            record.update(sealed, renewing=0.0, shown=False)

        return self.change(key, edit)

    def forget(self, key: str) -> None:
        """End one session here, without a word to others."""
        self._records.remove(key)
        self._remember(key, None)

    def of_login(self, login: str) -> list[str]:
        """Keys of the sessions that came from one Keycloak session, the newest last."""
        record = self._logins.get(login)
        return list(record["sessions"]) if record else []

    def end_login(self, login: str) -> int:
        """End all sessions of one Keycloak session and tell everybody; returns how many there were."""
        keys = self.of_login(login)
        for key in keys:
            self.forget(key)
        self._logins.remove(login)
        # Also when no session was found: tokens of that login may still be in use as bearer tokens.
        self._ended(login)
        return len(keys)

    def drop_remembered(self, login: str) -> None:
        """Believe nothing any more that was read about sessions of this login."""
        with self._lock:
            for key in [key for key, (_, session) in self._known.items() if session.login == login]:
                del self._known[key]

    def sweep(self) -> int:
        """Remove what idled out or grew too old, and was not asked for since; returns how many records."""
        now = time.time()
        return sweep(
            self._records,
            lambda record: now - record["seen"] > self._idle or now - record["created"] > self._longest,
        ) + sweep(self._logins, lambda record: now - record["changed"] > self._longest)

    def _note_login(self, login: str, key: str) -> None:
        for saving in attempts():
            record = self._logins.get(login)
            with saving:
                if record is None:
                    self._logins.insert(
                        {"_id": login, "revision": 1, "schema": 1, "sessions": [key], "changed": time.time()}
                    )
                else:
                    record.update(sessions=[*record["sessions"], key][-PER_LOGIN:], changed=time.time())
                    self._logins.save(record, [])
                return
        raise _busy()

    def _sealed(self, key: str, tokens: Tokens, csrf: str) -> dict[str, Any]:
        inside = {"access": tokens.access, "refresh": tokens.refresh, "csrf": csrf}
        now = time.time()
        return {
            "access_until": tokens.access_until,
            "renew_at": now + min(RENEW_AFTER, (tokens.access_until - now) * 2 / 3),
            "sealed": self._seal.close(inside, key),
        }

    def _open(self, record: Record) -> dict[str, str]:
        return self._seal.open(bytes(record["sealed"]), record["_id"])  # type: ignore[no-any-return]

    def _session(self, record: Record) -> Session | None:
        try:
            inside = self._open(record)
        except Broken:
            # Sealed by an earlier client secret: the person logs in again.
            self._records.remove(record["_id"])
            return None
        return Session(
            key=record["_id"],
            person=record["person"],
            login=record["login"],
            created=record["created"],
            seen=record["seen"],
            access_until=record["access_until"],
            renew_at=record["renew_at"],
            lost=record["shown"] and record["renewing"] < time.time(),
            **inside,
        )

    def _remember(self, key: str, session: Session | None) -> None:
        with self._lock:
            self._known.pop(key, None)
            if session is not None:
                self._known[key] = (time.monotonic(), session)
                while len(self._known) > KEPT:
                    self._known.popitem(last=False)
