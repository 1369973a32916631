"""Takes over into the audit what only Keycloak sees: failed logins, lockouts, changed passwords, changes by its own console.

Each event has an id, by which it is on record once however often it is read. How far it was read stands in a record of this
service's, so that nothing is left out after an absence. Logins through the gateway are the gateway's to record.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections import OrderedDict
from collections.abc import Iterator
from typing import Any

from keycloak import KeycloakAdmin
from keycloak.exceptions import KeycloakError

from chassis import loops
from chassis.audit import Audit
from chassis.errors import NotSignedIn
from chassis.parts import Parts
from chassis.store import Collection
from portal.keycloak import portal_admin, realm_call

EVERY = 5.0
OVERLAP = (
    120_000  # milliseconds that are read again, for an event may become visible later than its time says
)
PAGE, REMEMBERED = 200, 20_000
CURSOR = "identity_events"
BOOTSTRAP = "身份认证系统管理员"
KINDS = ("events", "admin-events")
# What a person does at every login and every five minutes after it; the gateway and the services have it on record.
SILENT = {
    "CODE_TO_TOKEN", "REFRESH_TOKEN", "CLIENT_LOGIN", "INTROSPECT_TOKEN", "USER_INFO_REQUEST", "LOGOUT",
    "PERMISSION_TOKEN", "VALIDATE_ACCESS_TOKEN", "TOKEN_EXCHANGE", "CUSTOM_REQUIRED_ACTION",
}  # fmt: skip
Event = dict[str, Any]


async def collect(parts: Parts) -> None:
    """Collect for ever."""
    collector = Collector(parts.audit, parts.store.collection(CURSOR))
    known: Any = None

    async def read() -> None:
        nonlocal known
        if not collector.own:
            collector.own = await asyncio.to_thread(_own_account, parts)
        # One with which a call fails is not used a second time.
        admin, known = known or await asyncio.to_thread(portal_admin, parts.settings), None
        for kind in KINDS:
            await asyncio.to_thread(collector.read, admin, kind)
        known = admin

    await loops.for_ever(read, EVERY, trouble="identity events wait", outages=(KeycloakError,))


def _own_account(parts: Parts) -> str:
    """The person's id which Keycloak gives this service's own account."""
    return parts.verifier.verify(parts.token.get()).person


class Collector:
    """Reads the two kinds of events, in their order. `own`: the portal's own account, in whose name it keeps people and units."""

    def __init__(self, audit: Audit, cursors: Collection) -> None:
        self.own = ""
        self._audit = audit
        self._cursors = cursors
        self._seen: OrderedDict[str, None] = OrderedDict()

    def read(self, admin: KeycloakAdmin, kind: str) -> int:
        """Record what is new; returns how many there were."""
        record = self._cursors.get(kind)
        upto = last = int(record["at"]) if record else 0
        new = 0
        for event in self._since(admin, kind, max(0, upto - OVERLAP)):
            identity = id_of(event)
            last = max(last, int(event["time"]))
            if identity in self._seen:
                continue
            facts = told(event) if kind == "events" else told_by_admin(event, self.own)
            if facts is not None:
                self._audit.record(**facts, id=identity, service="keycloak", at_ms=event["time"])
                new += 1
            # Not before it is in the spool, which may refuse it: then it is read again.
            self._seen[identity] = None
            while len(self._seen) > REMEMBERED:
                self._seen.popitem(last=False)
        if last > upto:
            # After they are in the spool: what is read twice is on record once, what is not read is on none.
            kept = {"_id": kind, "schema": 1, "at": last}
            if record:
                self._cursors.save({**kept, "revision": record["revision"]}, [])
            else:
                self._cursors.insert({**kept, "revision": 1})
        return new

    def _since(self, admin: KeycloakAdmin, kind: str, since: int) -> Iterator[Event]:
        first = 0
        while True:
            path = f"{kind}?dateFrom={since}&direction=asc&first={first}&max={PAGE}"
            page: list[Event] = realm_call(admin, "get", path) or []
            yield from page
            if len(page) < PAGE:
                return
            first += PAGE


def id_of(event: Event) -> str:
    """The id on record."""
    given = event.get("id") or hashlib.sha256(json.dumps(event, sort_keys=True).encode()).hexdigest()[:32]
    return f"keycloak:{given}"


def told(event: Event) -> dict[str, Any] | None:
    """What is recorded of something that a person did; None for what others have on record."""
    kind, details = str(event.get("type", "")), event.get("details") or {}
    if kind in SILENT or (kind == "LOGIN" and event.get("clientId") == "gateway"):
        return None
    return {
        "action": kind, "result": str(event.get("error") or "OK"), "person": str(event.get("userId") or ""),
        "code": NotSignedIn.code.name if event.get("error") else "",
        "name": str(details.get("username") or ""), "session": str(event.get("sessionId") or ""),
        "address": str(event.get("ipAddress") or ""), "client": str(event.get("clientId") or ""),
        "credential": str(details.get("credential_type") or ""),
    }  # fmt: skip


def told_by_admin(event: Event, own: str) -> dict[str, Any] | None:
    """What is recorded of a change by somebody who administers Keycloak."""
    by = event.get("authDetails") or {}
    foreign = by.get("realmId") not in ("", None, event.get("realmId"))
    return {
        "action": str(event.get("operationType", "")), "result": str(event.get("error") or "OK"),
        "about": str(event.get("resourcePath") or ""), "person": str(by.get("userId") or ""),
        "address": str(by.get("ipAddress") or ""), "resource": str(event.get("resourceType") or ""),
        # Keycloak's own administrator stands in no directory of ours.
        "name": BOOTSTRAP if foreign else "", "acting_service": "portal" if own and by.get("userId") == own else "",
    }  # fmt: skip
