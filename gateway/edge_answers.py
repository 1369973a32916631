"""What the edge asks before it passes a request on: whose session is this? Reached by the edge only.

Beside it, what the portal asks to bring somebody into a legacy system, and the first step on that system's
host.
"""

from __future__ import annotations

from urllib.parse import urlencode

from flask import Blueprint, Response, jsonify, redirect, request

from chassis.errors import TongbanError, invalid, not_signed_in
from gateway import cookies
from gateway.api import failure
from gateway.entries import TICKET_SECONDS, app_of_host
from gateway.guard import Guard
from gateway.parts import GatewayParts
from gateway.redirects import safe_path
from gateway.sessions import Session
from gateway.strict_json import loads

ALL = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]


class EdgeAnswers:
    """The views for the edge and for the portal."""

    def __init__(self, parts: GatewayParts, guard: Guard) -> None:
        self._parts = parts
        self._guard = guard
        self._public = parts.settings.public_url

    def blueprint(self) -> Blueprint:
        """The routes."""
        views = Blueprint("edge", __name__)
        views.get("/auth/check")(self.check)
        views.get("/auth/app-check")(self.app_check)
        views.route("/auth/unauthenticated", methods=ALL)(self.unauthenticated)
        views.post("/auth/app-ticket")(self.app_ticket)
        views.get("/.tongban/enter")(self.enter)
        views.errorhandler(TongbanError)(failure)
        return views

    def check(self) -> Response:
        """200 with what our own pages are told, 401 without a session."""
        found = self._parts.alive(self._parts.sessions.find(request.cookies.get(cookies.SESSION, "")))
        if found is None:
            return Response("", 401)
        session, principal = found
        if session.lost and _opens_page() and self._parts.oidc.answers():
            return Response("", 401)  # and on to the login, which asks for nothing and leads back
        return _told(session.access, principal.person, {"X-Tongban-Csrf": session.csrf})

    def app_check(self) -> Response:
        """The same for the host of a legacy system, by its own cookie."""
        app = self._app()
        entered = self._parts.entries.find(request.cookies.get(cookies.ENTRY, ""), app) if app else None
        found = self._parts.alive(entered.session) if entered else None
        if found is None:
            return Response("", 401)
        session, principal = found
        return _told(session.access, principal.person, {"X-Tongban-App": app})

    def unauthenticated(self) -> Response:
        """What a browser without a session gets: a page leads to the login, a script is told 401."""
        if request.headers.get("HX-Request") == "true":
            # The page around the fragment, not the fragment, is where the reader wants to be after the login.
            return Response(
                "", 401, {"HX-Redirect": f"{self._public}/auth/login", "Cache-Control": "no-store"}
            )
        wants_page = request.headers.get("Sec-Fetch-Mode", "navigate") == "navigate"
        if request.method not in ("GET", "HEAD") or not wants_page:
            return failure(not_signed_in("No session."))
        app = self._app()
        target = safe_path(request.headers.get("X-Tongban-Uri", ""))
        return _go(self._opening(app) if app else f"{self._public}/auth/login?{urlencode({'next': target})}")

    def app_ticket(self) -> Response:
        """For the portal, with the person's own access token: a ticket into one legacy system."""
        caller = self._guard.caller(request)
        session = caller.session or self._session_of(caller.principal.session)
        if session is None:
            raise not_signed_in("This token has no browser session.")
        content = loads(request.get_data())
        app = content.get("app") if isinstance(content, dict) else None
        if not isinstance(app, str):
            raise invalid(app="不是有效的应用标识")
        ticket = self._parts.entries.ticket(session, app)
        scheme = self._public.partition("://")[0]
        query = urlencode({"ticket": ticket})
        url = f"{scheme}://{app}.{self._parts.apps_domain}/.tongban/enter?{query}"
        response = jsonify(ticket=ticket, url=url, expires_in=TICKET_SECONDS)
        response.headers["Cache-Control"] = "no-store"
        return response

    def enter(self) -> Response:
        """On the legacy host: a ticket for a cookie of this host."""
        self._guard.address(request)
        app = self._app()
        cookie = self._parts.entries.enter(request.args.get("ticket", ""), app) if app else ""
        if not cookie:
            # The ticket is used up, e.g. by the browser's back button: the portal hands out another one.
            return _go(self._opening(app) if app else self._public)
        response = _go(safe_path(request.args.get("next")))
        cookies.put(response, cookies.ENTRY, cookie)
        response.headers["Referrer-Policy"] = "no-referrer"
        return response

    def _app(self) -> str:
        return app_of_host(request.host, self._parts.apps_domain)

    def _opening(self, app: str) -> str:
        return f"{self._public}/apps/{app}/open"

    def _session_of(self, login: str) -> Session | None:
        """The newest live session that came from a Keycloak session."""
        keys = self._parts.sessions.of_login(login) if login else []
        return next((found for key in reversed(keys) if (found := self._parts.sessions.get(key))), None)


def _opens_page() -> bool:
    """Whether the browser asks for a page to show, not for a part of one, and sends nothing."""
    headers = request.headers
    reads = headers.get("X-Tongban-Method") in ("GET", "HEAD")
    return reads and headers.get("Sec-Fetch-Mode") == "navigate" and "HX-Request" not in headers


def _go(address: str) -> Response:
    response = redirect(address, 302)
    response.headers["Cache-Control"] = "no-store"
    return response  # type: ignore[return-value]


def _told(token: str, person: str, more: dict[str, str]) -> Response:
    told = {"X-Tongban-Token": token, "X-Tongban-Person": person, "Cache-Control": "no-store", **more}
    return Response("", 200, told)
