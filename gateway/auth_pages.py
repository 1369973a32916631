"""/auth/…: login, callback, logout, who is logged in: the beginning and the end of a browser's session."""

from __future__ import annotations

from flask import Blueprint, Response, g, jsonify, redirect, render_template, request

from chassis import log
from chassis.errors import Forbidden, NotSignedIn, TongbanError, Unavailable
from chassis.identity_types import Principal
from gateway import auditing, cookies
from gateway.api import failure
from gateway.guard import Guard, TooOften
from gateway.logins import SECONDS, Login
from gateway.oidc import Refused
from gateway.parts import GatewayParts
from gateway.redirects import safe_path

SIGNED_OUT = "/signed-out"
_REFUSED = NotSignedIn("LOGIN_REFUSED", "登录没有通过校验，请重新登录。", "The login was refused.")
_log = log.get(__name__)


class AuthPages:
    """The views for browsers."""

    def __init__(self, parts: GatewayParts, guard: Guard) -> None:
        self._parts = parts
        self._guard = guard
        self._public = parts.settings.public_url

    def blueprint(self) -> Blueprint:
        """The routes below /auth."""
        views = Blueprint("auth", __name__, url_prefix="/auth")
        views.get("/login")(self.login)
        views.get("/callback")(self.callback)
        views.post("/logout")(self.logout)
        views.get("/me")(self.me)
        views.errorhandler(TongbanError)(self.refused)
        return views

    def login(self) -> Response:
        """Send the browser to Keycloak; who is logged in goes on at once, unless asking for a fresh login."""
        self._guard.address(request)
        target = safe_path(request.args.get("next"))
        fresh = request.args.get("fresh") == "1"
        cookie = request.cookies.get(cookies.SESSION, "")
        found = None if fresh else self._parts.alive(self._parts.sessions.find(cookie))
        if found and not found[0].lost:
            return _go(self._public + target)
        started, kept = self._parts.logins.start(request.cookies.get(cookies.LOGIN, ""), target)
        address = self._parts.oidc.authorize_url(started.state, started.nonce, started.verifier, fresh=fresh)
        response = _go(address)
        cookies.put(response, cookies.LOGIN, kept, SECONDS)
        return response

    def callback(self) -> Response:
        """Where Keycloak sends the browser back to, with a code."""
        self._guard.address(request)
        cookie, state = request.cookies.get(cookies.LOGIN, ""), request.args.get("state", "")
        login, kept = self._parts.logins.finish(cookie, state)
        issuer = self._parts.settings.issuer
        if login is None or request.args.get("iss", issuer) != issuer:
            auditing.refused(self._parts.audit, "LoginRefused", _REFUSED, why="state")
            return _page("登录已失效", "这个登录页面已经用过或已过期，请重新登录。", 400)
        if "code" in request.args:
            response = self._finish(login)
        else:
            auditing.refused(self._parts.audit, "LoginRefused", _REFUSED, why="no code")
            response = _page("登录未完成", "统一身份认证没有完成登录，请重新登录。", 400)
        if kept:
            cookies.put(response, cookies.LOGIN, kept, SECONDS)
        else:
            cookies.drop(response, cookies.LOGIN)
        return response

    def _finish(self, login: Login) -> Response:
        """Exchange the code for a session."""
        parts = self._parts
        try:
            tokens = parts.oidc.exchange(request.args["code"], login.verifier)
            identity = parts.oidc.check_id_token(tokens.identity, login.nonce)
            principal = parts.verifier.verify(tokens.access)
        except (Refused, NotSignedIn) as problem:
            _log.warning("login refused", problem=str(problem))
            auditing.refused(parts.audit, "LoginRefused", _REFUSED, why="code or token")
            return _page("登录未完成", "登录没有通过校验，请重新登录。", 400)
        if identity["sub"] != principal.person or not principal.session or principal.service:
            auditing.refused(parts.audit, "LoginRefused", _REFUSED, person=principal, why="other person")
            return _page("登录未完成", "登录没有通过校验，请重新登录。", 400)
        # The id of a session is made at login and never carried over from before it. # check 11
        old = parts.sessions.find(request.cookies.get(cookies.SESSION, ""), touch=False)
        same = old if old and old.login == principal.session else None
        # What stands open in other tabs of the same login can still be sent.
        cookie = parts.sessions.open(tokens, principal.person, principal.session, same.csrf if same else "")
        if same:
            parts.sessions.forget(same.key)
        elif old:
            parts.ending.later(parts.sessions, old)
        _log.info("login", person=principal.person)
        auditing.note(parts.audit, "Login", person=principal)
        response = _go(self._public + login.target)
        cookies.put(response, cookies.SESSION, cookie)
        return response

    def logout(self) -> Response:
        """End the session here, at Keycloak and everywhere; without a session there is nothing to end."""
        session = self._parts.sessions.find(request.cookies.get(cookies.SESSION, ""), touch=False)
        if session:
            given = request.headers.get("X-CSRF-Token") or request.form.get("_csrf", "")
            self._guard.check_csrf(request, session, given)
            # Keycloak takes a refresh token once, so one that was read a second ago may be used up.
            newest = self._parts.sessions.get(session.key, touch=False, believe=False)
            person = Principal(session.person, session=session.login)
            auditing.note(self._parts.audit, "Logout", person=person)
            self._parts.ending.leave(self._parts.sessions, newest or session)
        if request.headers.get("HX-Request") == "true":
            response = Response("", 204, {"HX-Redirect": SIGNED_OUT})
        else:
            response = _go(self._public + SIGNED_OUT)
        cookies.drop(response, cookies.SESSION)
        response.headers["Clear-Site-Data"] = '"cache"'
        return response

    def me(self) -> Response:
        """Who is logged in, and the CSRF token, for the scripts of pages."""
        caller = self._guard.session(request)
        principal = caller.principal
        response = jsonify(
            person=principal.person,
            name=principal.name,
            username=principal.username,
            posts=list(principal.posts),
            roles=sorted(principal.roles),
            clearance=principal.clearance,
            csrf=caller.session.csrf if caller.session else "",
        )
        response.headers["Cache-Control"] = "no-store"
        return response

    def refused(self, error: TongbanError) -> Response:
        """Errors that people see are pages; the others are for scripts."""
        g.refused = error
        if isinstance(error, Unavailable) and request.path in ("/auth/login", "/auth/callback"):
            return _page("统一身份认证暂时不可用", "请稍后再试。已登录的同事不受影响。", 503)
        if isinstance(error, TooOften) and request.path == "/auth/login":
            return _page("操作过于频繁", "请稍候片刻再登录。", 429)
        if isinstance(error, Forbidden) and request.headers.get("HX-Request") != "true":
            return _page("页面已过期", error.zh, 403)
        return failure(error)


def _go(address: str) -> Response:
    response = redirect(address, 303 if request.method == "POST" else 302)
    response.headers["Cache-Control"] = "no-store"
    return response  # type: ignore[return-value]


def _page(title: str, text: str, status: int) -> Response:
    """A small page in place of a redirect that cannot be made."""
    html = render_template(
        "message.html", title=title, text=text, retry="/auth/login", request_id=g.request_id
    )
    return Response(html, status, {"Cache-Control": "no-store"}, content_type="text/html; charset=utf-8")
