"""DirectoryService over gRPC: proto ↔ command, and nothing else."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import Any

from keycloak import KeycloakAdmin
from tongban.portal.v1 import directory_pb2 as pb
from tongban.portal.v1 import directory_pb2_grpc as api

from chassis import audit, bounds, context
from chassis.context import caller
from chassis.directory import Directory
from chassis.door import callers
from chassis.ended import login_entry
from chassis.errors import Unavailable
from chassis.idempotency import request_of
from chassis.parts import Parts
from chassis.settings import text
from chassis.streams import ENDED
from portal.answers import once
from portal.directory import bucket, commands, queries
from portal.directory.commands import Saved
from portal.keycloak import portal_admin

_ANYONE = callers("person", "system_administrator", "security_administrator", "auditor", "service")

WHO = {
    "ListUnits": _ANYONE,
    "SearchPeople": _ANYONE,
    "SaveUnits": callers("system_administrator"),
    "SavePeople": callers("system_administrator"),
    "SaveRights": callers("security_administrator"),
}

_PATIENCE = 5.0
_SECONDS = 20  # for the bucket to take in what was saved


class DirectoryRpc(api.DirectoryServiceServicer):
    """Units and people."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._directory = parts.directory  # asked for now, so that the copy is there before the first call
        # Whoever demonstrates must be able to sign in as anybody without changing a password first.
        self._temporary = text("DEMO") != "1"

    @cached_property
    def _admin(self) -> KeycloakAdmin:
        return portal_admin(self._parts.settings)

    def _copy(self) -> Directory:
        """The copy of the bucket, once it is complete.

        Raises Unavailable while the broker has not answered since this process began.
        """
        if not self._directory.ready.wait(min(_PATIENCE, context.current().left())):
            raise Unavailable(
                "DIRECTORY_NOT_READY", "通讯录正在装载，请稍后再试。", "The directory is still loading."
            )
        return self._directory

    def _end(self, login: str) -> None:
        self._parts.bus.put(ENDED, *login_entry(login))

    def ListUnits(self, _request: pb.ListUnitsRequest, _rpc: Any) -> pb.ListUnitsResponse:
        return pb.ListUnitsResponse(units=self._copy().units())

    def SearchPeople(self, request: pb.SearchPeopleRequest, _rpc: Any) -> pb.SearchPeopleResponse:
        size = bounds.page_size(request.page_size, queries.USUAL, queries.MOST)
        people = queries.search_people(self._copy(), request.words, request.unit, request.role, size)
        return pb.SearchPeopleResponse(people=people)

    def SaveUnits(self, request: pb.SaveUnitsRequest, _rpc: Any) -> pb.SaveUnitsResponse:
        audit.mark(object=",".join(unit.unit for unit in request.units), count=len(request.units))

        def effect() -> pb.SaveUnitsResponse:
            saved = commands.save_units(self._admin, list(request.units))
            bus = self._parts.bus
            bus.run(bucket.write(bus.bus, saved.things, []), _SECONDS)
            return pb.SaveUnitsResponse(created=saved.created, changed=saved.changed)

        return once(self._parts.store, request_of(request), pb.SaveUnitsResponse, effect)

    def SavePeople(self, request: pb.SavePeopleRequest, _rpc: Any) -> pb.SavePeopleResponse:
        audit.mark(object=",".join(one.username for one in request.people), count=len(request.people))
        return self._people(
            request,
            lambda: commands.save_accounts(
                self._admin, caller(), list(request.people), temporary=self._temporary, tell=self._end
            ),
        )

    def SaveRights(self, request: pb.SaveRightsRequest, _rpc: Any) -> pb.SavePeopleResponse:
        audit.mark(object=",".join(one.username for one in request.rights), count=len(request.rights))
        return self._people(
            request,
            lambda: commands.save_rights(self._admin, caller(), list(request.rights), tell=self._end),
        )

    def _people(self, request: Any, save: Callable[[], Saved[pb.Person]]) -> pb.SavePeopleResponse:
        def effect() -> pb.SavePeopleResponse:
            saved = save()
            bus = self._parts.bus
            bus.run(bucket.write(bus.bus, [], saved.things), _SECONDS)
            return pb.SavePeopleResponse(created=saved.created, changed=saved.changed, people=saved.things)

        return once(self._parts.store, request_of(request), pb.SavePeopleResponse, effect)
