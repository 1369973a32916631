"""Sessions on the hosts of legacy systems.

A legacy host never sees the main cookie. The portal asks for a ticket (60 s, once, for one system), the
browser brings it to the legacy host, and gets a cookie of that host. Such an entry holds nothing but the key
of the main session, and so it is dead the moment that is.
"""

from __future__ import annotations

import re
import secrets
import time
from dataclasses import dataclass

from chassis.errors import invalid
from chassis.store import Store
from chassis.sweeping import sweep
from gateway.once import Once
from gateway.sessions import Session, Sessions, digest

TICKET_SECONDS = 60
_APP = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")


def app_of_host(host: str, apps_domain: str) -> str:
    """The system whose host this is, '' when it is none: oa.apps.localhost:8443 → oa."""
    label, dot, rest = host.lower().partition(".")
    return label if dot and rest == apps_domain.lower() and _APP.fullmatch(label) else ""


@dataclass(frozen=True)
class Entered:
    """A live entry: the main session and the system."""

    session: Session
    app: str


class Entries:
    """Tickets and entries of legacy systems."""

    def __init__(self, store: Store, once: Once, sessions: Sessions) -> None:
        self._tickets = store.collection("tickets")
        self._entries = store.collection("entries")
        self._once = once
        self._sessions = sessions
        self._known: dict[str, tuple[str, str]] = {}

    def ticket(self, session: Session, app: str) -> str:
        """A ticket for one system.

        Raises InvalidInput when `app` is no host label.
        """
        if not _APP.fullmatch(app):
            raise invalid(app="不是有效的应用标识")
        ticket = secrets.token_urlsafe(32)
        until = time.time() + TICKET_SECONDS
        self._tickets.insert(
            {"_id": digest(ticket), "revision": 1, "session": session.key, "app": app, "until": until}
        )
        return ticket

    def enter(self, ticket: str, app: str) -> str:
        """The cookie's value of a new entry, '' when the ticket is not good here, or not any more."""
        key = digest(ticket)
        record = self._tickets.get(key)
        if record is None or record["app"] != app or record["until"] < time.time():
            return ""
        if not self._once.first(f"ticket|{key}", TICKET_SECONDS):
            return ""
        self._tickets.remove(key)
        session = self._sessions.get(record["session"])
        if session is None:
            return ""
        cookie = secrets.token_urlsafe(32)
        self._entries.insert(
            {
                "_id": digest(cookie),
                "revision": 1,
                "session": session.key,
                "app": app,
                "until": time.time() + 86400,
            }
        )
        return cookie

    def find(self, cookie: str, app: str) -> Entered | None:
        """The live entry behind a cookie of this system's host."""
        if not 20 <= len(cookie) <= 100:
            return None
        key = digest(cookie)
        # An entry never changes after it was made, so what was read once holds for ever.
        known = self._known.get(key)
        if known is None:
            record = self._entries.get(key)
            if record is None:
                return None
            if len(self._known) > 20_000:
                self._known.clear()
            known = self._known[key] = (record["session"], record["app"])
        if known[1] != app:
            return None
        session = self._sessions.get(known[0])
        if session is None:
            self._known.pop(key, None)
            return None
        return Entered(session, app)

    def sweep(self) -> int:
        """Remove tickets and entries that are past their time; returns how many."""
        now = time.time()
        return sum(
            sweep(records, lambda record: record["until"] < now) for records in (self._tickets, self._entries)
        )
