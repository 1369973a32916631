"""What the gateway puts on record: logins and their ends, and every request that it refuses before a service hears of it.

Refusals that anybody can cause by the thousand (no login, too many requests) are counted: the first of an address is recorded at
once, those of the next minute in one record with their number.
"""

from __future__ import annotations

import threading
from typing import Any

from flask import g, request

from chassis import context, log
from chassis.audit import Audit
from chassis.errors import Forbidden, NotSignedIn, TongbanError, Unavailable
from chassis.identity_types import Principal
from gateway import edge_headers
from gateway.sessions import Session

WINDOW = 60.0
_COUNTED = ("NOT_SIGNED_IN", "TOO_OFTEN")
_log = log.get(__name__)


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
    call = context.Call(request_id=g.request_id, principal=person, address=edge_headers.address(request))
    with context.serving(call):
        audit.record(action, result, peer=request.remote_addr or "", **facts)


def ended(audit: Audit, session: Session, why: str) -> None:
    """Record the end of a session that nobody asked for; it ends also where that cannot be recorded."""
    person = Principal(session.person, session=session.login)
    with context.serving(context.Call(principal=person)):
        try:
            audit.record("SessionEnded", why)
        except Unavailable:
            _log.error("end of a session not on record", person=session.person, why=why)


class Refusals:
    """Puts what the gateway refuses on record."""

    def __init__(self, audit: Audit) -> None:
        self._audit = audit
        self._counts: dict[tuple[str, str, str], int] = {}
        self._lock = threading.Lock()

    def take(self, error: TongbanError) -> None:
        """Record that the current request was refused with this error, if it was refused here."""
        if error.remote or not (isinstance(error, (NotSignedIn, Forbidden)) or error.reason == "TOO_OFTEN"):
            return
        address = edge_headers.address(request)
        if error.reason in _COUNTED and not self._first(error, address):
            return
        about = f"{request.method} {request.path}"
        try:
            note(self._audit, "ApiRefused", error, person=g.get("caller"), about=about)
        except Unavailable:
            _log.error("refusal not on record", reason=error.reason)

    def _first(self, error: TongbanError, address: str) -> bool:
        key = (error.reason, error.code.name, address)
        with self._lock:
            known = key in self._counts
            self._counts[key] = self._counts.get(key, -1) + 1
        if not known:
            timer = threading.Timer(WINDOW, self._tell, [key])
            timer.daemon = True
            timer.start()
        return not known

    def _tell(self, key: tuple[str, str, str]) -> None:
        reason, code, address = key
        with self._lock:
            count = self._counts.pop(key, 0)
        if count:
            with context.serving(context.Call(address=address)):
                self._audit.record("ApiRefused", reason, code=code, count=count)
