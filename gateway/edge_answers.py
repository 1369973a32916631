"""What the edge asks before it passes a request on: whose session is this? Reached by the edge only, never from outside."""

from __future__ import annotations

from urllib.parse import urlencode

from flask import Blueprint, Response, jsonify, redirect, request

from chassis.errors import NotSignedIn, TongbanError, invalid
from gateway import cookies
from gateway.api import failure
from gateway.entries import TICKET_SECONDS, app_of_host
from gateway.guard import Guard
from gateway.parts import GatewayParts
from gateway.redirects import safe_path
from gateway.strict_json import loads


def blueprint(parts: GatewayParts, guard: Guard) -> Blueprint:
    """The views for the edge and for the portal."""
    views = Blueprint("edge", __name__)
    public = parts.settings.public_url

    @views.get("/auth/check")
    def check() -> Response:
        """200 with what our own pages are told, 401 without a session."""
        found = parts.alive(parts.sessions.find(request.cookies.get(cookies.SESSION, "")))
        if found is None:
            return Response("", 401)
        session, principal = found
        return _told(session.access, principal.person, {"X-Tongban-Csrf": session.csrf})

    @views.get("/auth/app-check")
    def app_check() -> Response:
        """The same for the host of a legacy system, by its own cookie."""
        app = app_of_host(request.host, parts.apps_domain)
        entered = parts.entries.find(request.cookies.get(cookies.ENTRY, ""), app) if app else None
        found = parts.alive(entered.session) if entered else None
        if found is None:
            return Response("", 401)
        session, principal = found
        return _told(session.access, principal.person, {"X-Tongban-App": app})

    @views.route("/auth/unauthenticated", methods=["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"])
    def unauthenticated() -> Response:
        """What a browser without a session gets: a page leads to the login, a script is told 401."""
        stated = safe_path(request.headers.get("X-Tongban-Uri", ""))
        app = app_of_host(request.host, parts.apps_domain)
        address = f"{public}/apps/{app}/open" if app else f"{public}/auth/login?{_query(next=stated)}"
        if request.headers.get("HX-Request") == "true":
            # The page around the fragment, not the fragment, is where the reader wants to be after the login.
            return Response("", 401, {"HX-Redirect": f"{public}/auth/login", "Cache-Control": "no-store"})
        wants_page = request.headers.get("Sec-Fetch-Mode", "navigate") == "navigate"
        if request.method not in ("GET", "HEAD") or not wants_page:
            return failure(NotSignedIn("NOT_SIGNED_IN", "您还没有登录，或登录已失效。", "Not signed in."))
        response = redirect(address, 302)
        response.headers["Cache-Control"] = "no-store"
        return response  # type: ignore[return-value]

    @views.post("/auth/app-ticket")
    def app_ticket() -> Response:
        """For the portal, with the person's own access token: a ticket into one legacy system."""
        caller = guard.caller(request)
        session = caller.session
        if session is None:
            keys = parts.sessions.of_login(caller.principal.session) if caller.principal.session else []
            live = [found for key in reversed(keys) if (found := parts.sessions.get(key))]
            session = live[0] if live else None
        if session is None:
            raise NotSignedIn("NOT_SIGNED_IN", "您还没有登录，或登录已失效。", "This token has no browser session.")
        content = loads(request.get_data())
        app = content.get("app") if isinstance(content, dict) else None
        if not isinstance(app, str):
            raise invalid(app="不是有效的应用标识")
        ticket = parts.entries.ticket(session, app)
        scheme = public.partition("://")[0]
        url = f"{scheme}://{app}.{parts.apps_domain}/.tongban/enter?{_query(ticket=ticket)}"
        response = jsonify(ticket=ticket, url=url, expires_in=TICKET_SECONDS)
        response.headers["Cache-Control"] = "no-store"
        return response

    @views.get("/.tongban/enter")
    def enter() -> Response:
        """On the legacy host: a ticket for a cookie of this host."""
        guard.address(request)
        app = app_of_host(request.host, parts.apps_domain)
        cookie = parts.entries.enter(request.args.get("ticket", ""), app) if app else ""
        if not cookie:
            # The ticket is used up, e.g. by the browser's back button: the portal hands out another one.
            return redirect(f"{public}/apps/{app}/open" if app else public, 302)  # type: ignore[return-value]
        response = redirect(safe_path(request.args.get("next")), 302)
        cookies.put(response, cookies.ENTRY, cookie)  # type: ignore[arg-type]
        response.headers["Cache-Control"] = "no-store"
        response.headers["Referrer-Policy"] = "no-referrer"
        return response  # type: ignore[return-value]

    @views.errorhandler(TongbanError)
    def refused(error: TongbanError) -> Response:
        return failure(error)

    return views


def _told(token: str, person: str, more: dict[str, str]) -> Response:
    told = {"X-Tongban-Token": token, "X-Tongban-Person": person, "Cache-Control": "no-store", **more}
    return Response("", 200, told)


def _query(**values: str) -> str:
    return urlencode(values)
