"""Hears from Keycloak's own records what somebody did there, by its console or with stolen tokens, and ends the logins concerned.

Keycloak pushes none of this, so its events are asked for. Whoever was disabled, lost a role, a unit or a clearance, got a new
password or was deleted is signed out, and so is a login of which a code or a refresh token came twice: it is in wrong hands.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from keycloak import KeycloakAdmin
from keycloak.exceptions import KeycloakError
from nats.errors import Error as NatsError

from chassis import log, loops
from chassis.bus import Bus
from chassis.ended import login_entry, person_entry
from chassis.errors import TongbanError
from chassis.parts import Parts
from chassis.streams import ENDED
from portal.keycloak import portal_admin, realm_call

EVERY = 2.0
AGAIN = 5.0
BACK = 600.0  # seconds before its start that are looked through: longer than an access token lives
_PAGE = 100
_OVERLAP = 5000  # milliseconds: an event may become visible a little after its time
_KINDS = ["USER", "USER_SESSION", "REALM_ROLE_MAPPING", "GROUP_MEMBERSHIP"]
_log = log.get(__name__)


@dataclass
class Findings:
    """What a batch of events asks for. `people`: person → the time of the last change, in milliseconds."""

    logins: set[str] = field(default_factory=set)
    people: dict[str, int] = field(default_factory=dict)
    gone: set[str] = field(default_factory=set)


def weigh(administration: list[dict[str, Any]], events: list[dict[str, Any]], own: str) -> Findings:
    """What these events of Keycloak ask for; `own` is the portal's account, which has seen to its changes itself."""
    found = Findings()
    for event in administration:
        kind, _, rest = event["resourcePath"].partition("/")
        name, _, more = rest.partition("/")
        operation = event["operationType"]
        if kind == "sessions" and operation == "DELETE":
            found.logins.add(name)
        elif kind != "users" or event.get("authDetails", {}).get("userId") == own:
            continue
        elif operation == "DELETE" and not more:
            found.gone.add(name)
        elif operation in ("UPDATE", "DELETE") or more == "reset-password":
            found.people[name] = max(found.people.get(name, 0), event["time"])
    for event in events:
        if event.get("sessionId") and (event["type"] == "LOGOUT" or _misused(event)):
            found.logins.add(event["sessionId"])
    return found


def _misused(event: dict[str, Any]) -> bool:
    """Whether somebody came with a refresh token or a code that had been used before."""
    if event["type"] == "REFRESH_TOKEN_ERROR":
        return "token reuse exceeded" in event.get("details", {}).get("reason", "")
    return event["type"] == "CODE_TO_TOKEN_ERROR" and event.get("error") == "invalid_code"


async def watch(parts: Parts) -> None:
    """Looks every two seconds, for ever."""
    bus = Bus(parts.settings)
    await bus.connect()
    watcher = Watcher(parts)

    async def look() -> None:
        found = await asyncio.to_thread(watcher.look)
        for entry in [login_entry(one) for one in found.logins] + [person_entry(one) for one in found.gone]:
            await (await bus.bucket(ENDED)).put(*entry)
        await asyncio.to_thread(watcher.done)
        if found.logins or found.gone:
            _log.info("ended by Keycloak", logins=len(found.logins), people=len(found.gone))

    await loops.for_ever(
        look, EVERY, AGAIN, trouble="changes at Keycloak not heard", outages=(KeycloakError, NatsError)
    )


class Watcher:
    """Reads on from where it stood."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._since = self._next = int((time.time() - BACK) * 1000)
        self._seen: dict[str, int] = {}  # id → time, of the events within the overlap
        self._new: dict[str, int] = {}
        self._logins: set[str] = set()

    @cached_property
    def _admin(self) -> KeycloakAdmin:
        return portal_admin(self._parts.settings)

    @cached_property
    def _own(self) -> str:
        """The portal's own account at Keycloak, whose doings are known already."""
        client = self._admin.get_client_id("svc-portal")
        return str(self._admin.get_client_service_account_user(str(client))["id"])

    def look(self) -> Findings:
        """What happened since. Until `done` says that everybody was told of it, the same is found again.

        Raises Unavailable, KeycloakError.
        """
        administration = self._read("admin-events", resourceTypes=_KINDS)
        events = self._read("events", type=["LOGOUT", "REFRESH_TOKEN_ERROR", "CODE_TO_TOKEN_ERROR"])
        found = weigh(administration, events, self._own)
        for person, at in found.people.items():
            if person not in found.gone:
                found.logins |= self._sessions_before(person, at)
        fresh = [*administration, *events]
        self._new = {event["id"]: event["time"] for event in fresh}
        self._next = max([self._since, *self._new.values()])
        over = {event["resourcePath"].removeprefix("sessions/") for event in administration}
        over |= {event.get("sessionId") for event in events if event["type"] == "LOGOUT"}
        self._logins = found.logins - over
        return found

    def done(self) -> None:
        """Everybody was told of what `look` found last: now these logins end at Keycloak too.

        Not before: a session that is over there is no longer found by its person.
        """
        for login in self._logins:
            self._end(login)
        self._since = self._next
        # What lies before the overlap is not asked for again, so it need not be remembered.
        known = self._seen | self._new
        self._seen = {event: at for event, at in known.items() if at >= self._since - _OVERLAP}

    def _read(self, path: str, **which: Any) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        while True:
            page = realm_call(
                self._admin,
                "get",
                path,
                dateFrom=self._since - _OVERLAP,
                first=len(found),
                max=_PAGE,
                **which,
            )
            found += page
            if len(page) < _PAGE:
                return [event for event in found if event["id"] not in self._seen]

    def _sessions_before(self, person: str, at: int) -> set[str]:
        """The person's sessions that are older than the change; a later one has the new rights already."""
        try:
            sessions = realm_call(self._admin, "get", f"users/{person}/sessions")
        except TongbanError as problem:
            if problem.reason != "IDENTITY_REFUSED":
                raise
            # The person is gone meanwhile, say; one such event must not keep all later ones from being seen to.
            _log.warning("sessions not looked at", person=person, problem=str(problem)[:100])
            return set()
        return {session["id"] for session in sessions if session["start"] <= at}

    def _end(self, session: str) -> None:
        try:
            realm_call(self._admin, "delete", f"sessions/{session}")
        except TongbanError as problem:
            # It is over already, or Keycloak is away; then its tokens are refused by us all the same.
            _log.info("session not ended at Keycloak", problem=str(problem)[:100])
