"""What the gateway puts on record: logins and their ends, and every request that it refuses before a service hears of it.

Refusals that anybody can cause by the thousand (no login, too many requests) are counted: the first of a place (limits.place) is
recorded at once, those of the next minute in one record with their number.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections import OrderedDict
from collections.abc import Iterator
from typing import Any

from flask import g, request

from chassis import context, loops
from chassis.audit import Audit
from chassis.errors import Forbidden, NotSignedIn, TongbanError
from chassis.identity_types import Principal
from gateway import edge_headers, limits
from gateway.sessions import Session

WINDOW = 60.0
LOOK = 0.5  # seconds between two looks for windows that are over
_COUNTED = ("NOT_SIGNED_IN", "TOO_OFTEN")
_Key = tuple[str, str, str]  # reason, code, place


def note(
    audit: Audit,
    action: str,
    result: str | TongbanError = "OK",
    *,
    person: Principal | None = None,
    **facts: Any,
) -> None:
    """Record something of the current request.

    Raises Unavailable when the disk does not take it.
    """
    with _of_request(person) as peer:
        audit.record(action, result, peer=peer, **facts)


def refused(
    audit: Audit, action: str, result: TongbanError, *, person: Principal | None = None, **facts: Any
) -> bool:
    """Record that the current request was refused, which it is in any case; whether the disk took it."""
    with _of_request(person) as peer:
        return audit.record_if_possible(action, result, peer=peer, **facts)


@contextlib.contextmanager
def _of_request(person: Principal | None) -> Iterator[str]:
    """What is recorded in the with-block is of the current request; yields its peer."""
    call = context.Call(request_id=g.request_id, principal=person, address=edge_headers.address(request))
    with context.serving(call):
        yield request.remote_addr or ""


def ended(audit: Audit, session: Session, why: str) -> None:
    """Record the end of a session that nobody asked for; it ends also where that cannot be recorded."""
    person = Principal(session.person, session=session.login)
    with context.serving(context.Call(principal=person)):
        audit.record_if_possible("SessionEnded", why)


class Refusals:
    """Puts what the gateway refuses on record."""

    def __init__(self, audit: Audit) -> None:
        self._audit = audit
        # (reason, code, place) → when its window began, how many came after the first; the oldest stand first.
        self._counts: OrderedDict[_Key, tuple[float, int]] = OrderedDict()
        self._lock = threading.Lock()
        loops.in_thread(self.tell, LOOK, LOOK, trouble="counted refusals wait")

    def take(self, error: TongbanError) -> None:
        """Record that the current request was refused with this error, if it was refused here."""
        if error.remote or not (isinstance(error, (NotSignedIn, Forbidden)) or error.reason == "TOO_OFTEN"):
            return
        counted = error.reason in _COUNTED
        key = (error.reason, error.code.name, limits.place(edge_headers.address(request)))
        if counted and not self._first(key):
            return
        about = f"{request.method} {request.path}"
        kept = refused(self._audit, "ApiRefused", error, person=g.get("caller"), about=about)
        if counted and not kept:
            self._first(key)  # which it is not: so it is among the counted

    def tell(self) -> None:
        """Record the counts whose window is over.

        Raises Unavailable when the disk does not take one; that one and the others are kept for the next time.
        """
        while (found := self._over()) is not None:
            key, count = found
            reason, code, place = key
            if count:
                with context.serving(context.Call(address=place)):
                    self._audit.record("ApiRefused", reason, code=code, count=count)
            with self._lock:
                _, now = self._counts.pop(key, (0.0, count))
                if now > count:
                    # More came while this was written: they have a window of their own.
                    self._counts[key] = (time.monotonic(), now - count)

    def _over(self) -> tuple[_Key, int] | None:
        """The oldest count, if its window is over."""
        with self._lock:
            key = next(iter(self._counts), None)
            if key is None:
                return None
            since, count = self._counts[key]
            return (key, count) if time.monotonic() - since >= WINDOW else None

    def _first(self, key: _Key) -> bool:
        with self._lock:
            known = self._counts.get(key)
            if known is None and len(self._counts) >= limits.KEPT:
                # So many places at once are an attack: what more come are counted together.
                key = (*key[:2], "")
                known = self._counts.get(key)
            since, count = known or (time.monotonic(), -1)
            self._counts[key] = (since, count + 1)
            return known is None
