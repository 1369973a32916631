"""AppService over gRPC: proto ↔ command, and nothing else."""

from __future__ import annotations

from typing import Any

from tongban.portal.v1 import apps_pb2 as pb
from tongban.portal.v1 import apps_pb2_grpc as api

from chassis import context
from chassis.context import caller
from chassis.door import callers
from chassis.errors import Forbidden
from chassis.idempotency import request_of
from chassis.identity_types import Principal
from portal import catalogue, convert
from portal.model import App
from portal.parts import PortalParts
from portal.vault import Secret

_SIGNED_IN = callers("person", "system_administrator", "security_administrator", "auditor")
_PERSON = callers("person")
_KEEPER = callers("system_administrator")

WHO = {
    "ListApps": _SIGNED_IN,
    "GetApp": _SIGNED_IN,
    "SaveApp": _KEEPER,
    "RemoveApp": _KEEPER,
    "LaunchApp": _SIGNED_IN,
    "TestConnector": callers("person", "system_administrator"),
    "GetCredentialState": _PERSON,
    "SaveCredential": _PERSON,
    "ForgetCredential": _PERSON,
}


class AppRpc(api.AppServiceServicer):
    """The catalogue, one click, and people's own credentials."""

    def __init__(self, parts: PortalParts) -> None:
        self._parts = parts

    def ListApps(self, _request: pb.ListAppsRequest, _rpc: Any) -> pb.ListAppsResponse:
        who = caller()
        own = [
            convert.from_built_in(entry, order, who) for order, entry in enumerate(catalogue.built_in(who))
        ]
        return pb.ListAppsResponse(
            apps=own + [convert.from_app(app, who) for app in catalogue.list_apps(self._parts.apps)]
        )

    def GetApp(self, request: pb.GetAppRequest, _rpc: Any) -> pb.App:
        return convert.from_app(catalogue.get_app(self._parts.apps, request.app), caller())

    def SaveApp(self, request: pb.SaveAppRequest, _rpc: Any) -> pb.App:
        saved = catalogue.save_app(self._parts.apps, convert.to_app(request.app), request_of(request))
        return convert.from_app(saved, caller())

    def RemoveApp(self, request: pb.RemoveAppRequest, _rpc: Any) -> pb.RemoveAppResponse:
        catalogue.remove_app(self._parts.apps, request.app, request_of(request))
        return pb.RemoveAppResponse()

    def LaunchApp(self, request: pb.LaunchAppRequest, _rpc: Any) -> pb.LaunchAppResponse:
        who = caller()
        url = catalogue.launch(self._parts, request.app, who, context.current().token)
        return pb.LaunchAppResponse(
            url=url, receipt=self._parts.receipt_id(who.session) if who.session else ""
        )

    def TestConnector(self, request: pb.TestConnectorRequest, _rpc: Any) -> pb.TestConnectorResponse:
        good, report = catalogue.test_connector(self._parts, request.app, caller())
        return convert.from_report(report, good=good)

    def GetCredentialState(self, request: pb.GetCredentialStateRequest, _rpc: Any) -> pb.CredentialState:
        app, who = self._usable(request.app)
        return convert.from_credential(self._parts.credentials.find(who.person, app.id))

    def SaveCredential(self, request: pb.SaveCredentialRequest, _rpc: Any) -> pb.CredentialState:
        app, who = self._usable(request.app)
        secret = Secret(request.username.strip(), request.password)
        saved = self._parts.credentials.save(who.person, app.id, secret, request_of(request))
        if who.session:
            # A session opened with the older credential must not go on under the new one.
            self._parts.jars.drop(who.session, app.id)
        return convert.from_credential(saved)

    def ForgetCredential(self, request: pb.ForgetCredentialRequest, _rpc: Any) -> pb.CredentialState:
        app, who = self._usable(request.app)
        if who.session:
            self._parts.jars.drop(who.session, app.id)
        return convert.from_credential(
            self._parts.credentials.forget(who.person, app.id, request_of(request))
        )

    def _usable(self, key: str) -> tuple[App, Principal]:
        """The system and the caller, who may open it. Raises NotFound, Forbidden."""
        app, who = catalogue.get_app(self._parts.apps, key), caller()
        if refusal := app.refusal(who):
            raise Forbidden("APP_NOT_ALLOWED", f"{refusal}。", "This person may not open this system.")
        return app, who
