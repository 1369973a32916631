"""What can be done with the catalogue: list, save, remove, launch, test.

And the platform's own entries in it.
"""

from __future__ import annotations

import httpx

from chassis import log, units
from chassis.aggregate import Request
from chassis.errors import Exists, Forbidden, NotSignedIn, Unavailable, not_found
from chassis.identity_types import Principal
from chassis.repository import Repository, anyone
from chassis.settings import text
from chassis.units import Unit
from portal.addresses import http_url
from portal.connectors.signing_in import Report
from portal.model import App
from portal.parts import PortalParts
from portal.probing import probe

_log = log.get(__name__)


def built_in(principal: Principal) -> list[Unit]:
    """The platform's own services, as far as they concern this person: nobody is shown the administrators' ones as closed."""
    return [
        unit for unit in units.every() if unit.place and (unit.open_to(principal) or "person" in unit.roles)
    ]


def refusal(unit: Unit, principal: Principal) -> str:
    """Why this person may not open a service of the platform, in Chinese; '' when nothing speaks against it."""
    if unit.open_to(principal):
        return ""
    return "您的岗位无需使用该服务" if principal.posts else "管理员账号不办理业务"


def list_apps(apps: Repository[App]) -> list[App]:
    """All systems which the catalogue holds, in their order."""
    found = [app for app in apps.scan() if not app.removed]
    return sorted(found, key=lambda app: (app.order, app.id))


def get_app(apps: Repository[App], key: str) -> App:
    """One system.

    Raises NotFound, also for a removed one.
    """
    app = apps.get(key)
    if app.removed:
        raise not_found("应用")
    return app


def save_app(apps: Repository[App], wanted: App, request: Request) -> App:
    """Enters a system into the catalogue (no etag) or changes it (with its etag).

    Raises InvalidInput; Exists when the id is taken; Conflict.
    """
    wanted.check()
    if wanted.id in {unit.name for unit in units.every() if unit.place}:
        raise Exists("APP_EXISTS", "该标识为平台自带服务，请换一个。", "Taken by the platform.")
    present = apps.find(wanted.id)
    if present is None:
        return apps.add(wanted, request)
    if not request.etag and not present.removed and not request.seen(present):
        raise Exists("APP_EXISTS", "该标识已被其他应用使用，请换一个。", "This id is taken.")
    return apps.change(wanted.id, request, lambda app: _copy(wanted, app), anyone)


def _copy(wanted: App, app: App) -> None:
    # Written on purpose field by field: revision and the memory of requests belong to the record. # check 20
    app.name, app.icon, app.description, app.category = (
        wanted.name,
        wanted.icon,
        wanted.description,
        wanted.category,
    )
    app.audience, app.connector, app.probe, app.order = (
        wanted.audience,
        wanted.connector,
        wanted.probe,
        wanted.order,
    )
    app.removed = False


def remove_app(apps: Repository[App], key: str, request: Request) -> None:
    """Takes a system out of the catalogue.

    Its record stays, so that its id means nothing else by accident.
    """

    def step(app: App) -> None:
        app.removed = True

    apps.change(key, request, step, anyone)


def launch(parts: PortalParts, key: str, principal: Principal, token: str) -> str:
    """Where the browser must go to be inside the system.

    Raises NotFound, Forbidden (with the reason), WrongState (credential missing or refused), Unavailable.
    """
    own = next((unit for unit in units.every() if unit.place and unit.name == key), None)
    if own is not None:
        _admit(refusal(own, principal))
        return own.path
    entry = get_app(parts.apps, key)
    _admit(entry.refusal(principal))
    if entry.connector.kind == "bookmark":
        return entry.connector.url
    if entry.connector.kind == "form":
        # Signed in before the browser goes there, so that a refusal is told on a page of ours.
        parts.opening.jar(entry, principal)
    ticket = _ticket(key, token)
    base = httpx.URL(
        f"{parts.chassis.settings.public_url.partition(':')[0]}://{key}.{text('APPS_DOMAIN')}/.tongban/enter"
    )
    return str(base.copy_merge_params({"ticket": ticket, "next": entry.connector.start}))


def _admit(reason: str) -> None:
    if reason:
        raise Forbidden("APP_NOT_ALLOWED", f"{reason}。", "This person may not open this system.")


def _ticket(app: str, token: str) -> str:
    """A one-time ticket of the gateway's for this person and system. Raises NotSignedIn, Unavailable."""
    try:
        reply = httpx.post(
            f"{http_url('gateway')}/auth/app-ticket",
            json={"app": app},
            headers={"Authorization": f"Bearer {token}"},
            timeout=5,
            trust_env=False,
        )
    except httpx.HTTPError as problem:
        raise _no_ticket(repr(problem)) from problem
    if reply.status_code == 401:
        raise NotSignedIn(
            "NOT_SIGNED_IN", "登录已失效，请重新登录。", "The gateway knows no session for this token."
        )
    try:
        reply.raise_for_status()
        return str(reply.json()["ticket"])
    except (httpx.HTTPError, ValueError, KeyError, TypeError) as problem:
        raise _no_ticket(repr(problem)) from problem


def _no_ticket(problem: str) -> Unavailable:
    _log.warning("no ticket from the gateway", problem=problem)
    return Unavailable(
        "GATEWAY_UNAVAILABLE", "登录网关暂时不可用，请稍后再试。", "The gateway gives no ticket right now."
    )


def test_connector(parts: PortalParts, key: str, principal: Principal) -> tuple[bool, Report]:
    """Tries a system's connector for this person, step by step.

    Raises NotFound, Forbidden. What fails at the system itself is part of the report.
    """
    app = get_app(parts.apps, key)
    keeper = "system_administrator" in principal.roles
    if not keeper:
        _admit(app.refusal(principal))
    if app.connector.kind == "form":
        return parts.opening.test(app, principal)
    return probe(parts.client, app, principal)
