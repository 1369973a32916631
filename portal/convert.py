"""The catalogue's records ↔ proto messages."""

from __future__ import annotations

from tongban.portal.v1 import apps_pb2 as pb

from chassis.identity_types import Principal
from chassis.units import Unit
from portal import catalogue
from portal.connectors.signing_in import Report
from portal.credentials import Credential
from portal.model import App, Connector, FormLogin

_FORM = (
    "login_path", "username_field", "password_field", "body", "digest", "success", "success_value",
    "logout_path",
)  # fmt: skip


def to_app(message: pb.App) -> App:
    """The record that a message describes."""
    given = message.connector
    form = FormLogin(**{name: getattr(given.form, name) for name in _FORM}, fields=dict(given.form.fields))
    if given.kind == "form":
        form.login_path = form.login_path or "/"
        form.body = form.body or "form"
        form.success = form.success or "leaves_login"
    connector = Connector(given.kind, given.url.strip(), given.header, given.header_value or "username", form)
    return App(
        id=message.app,
        name=message.name.strip(),
        icon=message.icon or "link",
        description=message.description.strip(),
        category=message.category.strip(),
        audience=list(message.audience),
        connector=connector,
        probe=message.probe,
        order=message.order,
    )


def from_app(app: App, principal: Principal) -> pb.App:
    """The message for this caller.

    How a system is connected is shown to system administrators only, but for the kind.
    """
    refusal = app.refusal(principal)
    message = pb.App(
        app=app.id,
        name=app.name,
        icon=app.icon,
        description=app.description,
        category=app.category,
        order=app.order,
        may_open=not refusal,
        reason=refusal,
        connector=pb.Connector(kind=app.connector.kind),
    )
    if "system_administrator" in principal.roles:
        message.audience.extend(app.audience)
        message.probe, message.etag = app.probe, str(app.revision)
        message.connector.CopyFrom(_from_connector(app.connector))
    return message


def _from_connector(connector: Connector) -> pb.Connector:
    message = pb.Connector(
        kind=connector.kind, url=connector.url, header=connector.header, header_value=connector.header_value
    )
    for name in _FORM:
        setattr(message.form, name, getattr(connector.form, name))
    message.form.fields.update(connector.form.fields)
    return message


def from_built_in(unit: Unit, order: int, principal: Principal) -> pb.App:
    """A service of the platform as an entry of the catalogue."""
    refusal = catalogue.refusal(unit, principal)
    return pb.App(
        app=unit.name,
        name=unit.title,
        icon=unit.icon,
        description=unit.about,
        category="办公",
        order=order,
        may_open=not refusal,
        reason=refusal,
        built_in=True,
        connector=pb.Connector(kind="bookmark", url=unit.path),
    )


def from_credential(record: Credential) -> pb.CredentialState:
    """What may be told of a credential: never the password."""
    message = pb.CredentialState(app=record.app, state=record.state, username=record.username)
    if record.tried_at:
        message.tried_at.FromDatetime(record.tried_at)
    if record.saved_at:
        message.saved_at.FromDatetime(record.saved_at)
    return message


def from_report(report: Report, *, good: bool) -> pb.TestConnectorResponse:
    """A connector's test, step by step."""
    steps = [
        pb.Step(name=step.name, outcome=step.outcome, detail=step.detail, milliseconds=step.milliseconds)
        for step in report.steps
    ]
    return pb.TestConnectorResponse(good=good, steps=steps)
