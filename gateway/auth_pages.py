"""/auth/…: login, callback, logout, and who is logged in. Everything a browser's session is begun and ended by."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response, g, jsonify, redirect, render_template, request
from werkzeug.exceptions import HTTPException

from chassis import log
from chassis.errors import Internal, NotSignedIn, TongbanError, Unavailable
from gateway import cookies, problems
from gateway.api import failure
from gateway.guard import Guard, TooOften
from gateway.oidc import Refused
from gateway.parts import GatewayParts
from gateway.redirects import safe_path

_log = log.get(__name__)
SIGNED_OUT = "/signed-out"


def blueprint(parts: GatewayParts, guard: Guard) -> Blueprint:
    """The views below /auth."""
    views = Blueprint("auth", __name__, url_prefix="/auth")
    public = parts.settings.public_url

    @views.get("/login")
    def login() -> Response:
        guard.address(request)
        target = safe_path(request.args.get("next"))
        fresh = request.args.get("fresh") == "1"
        if not fresh and parts.alive(parts.sessions.find(request.cookies.get(cookies.SESSION, ""))):
            return _go(public + target)
        started, kept = parts.logins.start(request.cookies.get(cookies.LOGIN, ""), target)
        response = _go(parts.oidc.authorize_url(started.state, started.nonce, started.verifier, fresh=fresh))
        cookies.put(response, cookies.LOGIN, kept, 1800)
        return response

    @views.get("/callback")
    def callback() -> Response:
        guard.address(request)
        found, kept = parts.logins.finish(request.cookies.get(cookies.LOGIN, ""), request.args.get("state", ""))
        issuer = request.args.get("iss", parts.settings.issuer)
        if found is None or issuer != parts.settings.issuer:
            return _page("登录已失效", "这个登录页面已经用过或已过期，请重新登录。", 400)
        if "code" not in request.args:
            response = _page("登录未完成", "统一身份认证没有完成登录，请重新登录。", 400)
        else:
            response = _finish(found.verifier, found.nonce, found.target)
        if kept:
            cookies.put(response, cookies.LOGIN, kept, 1800)
        else:
            cookies.drop(response, cookies.LOGIN)
        return response

    def _finish(verifier: str, nonce: str, target: str) -> Response:
        try:
            tokens = parts.oidc.exchange(request.args["code"], verifier)
            identity = parts.oidc.check_id_token(tokens.identity, nonce)
            principal = parts.verifier.verify(tokens.access)
        except (Refused, NotSignedIn) as problem:
            _log.warning("login refused", problem=str(problem))
            return _page("登录未完成", "登录没有通过校验，请重新登录。", 400)
        if identity["sub"] != principal.person or not principal.session or principal.service:
            return _page("登录未完成", "登录没有通过校验，请重新登录。", 400)
        # The id of a session is made at login and never carried over from before it. # check 11
        old = parts.sessions.find(request.cookies.get(cookies.SESSION, ""), touch=False)
        cookie = parts.sessions.open(tokens, principal.person, principal.session)
        if old and old.login == principal.session:
            parts.sessions.forget(old.key)
        elif old:
            parts.ending.later(parts.sessions, old)
        _log.info("login", person=principal.person)
        response = _go(public + target)
        cookies.put(response, cookies.SESSION, cookie)
        return response

    @views.post("/logout")
    def logout() -> Response:
        session = parts.sessions.find(request.cookies.get(cookies.SESSION, ""), touch=False)
        if session:
            guard.check_csrf(request, session, request.headers.get("X-CSRF-Token") or request.form.get("_csrf", ""))
            fresh = parts.renewal.fresh(session)
            parts.ending.leave(parts.sessions, fresh or session)
        response = _go(public + SIGNED_OUT)
        if request.headers.get("HX-Request") == "true":
            response = Response("", 204, {"HX-Redirect": SIGNED_OUT})
        cookies.drop(response, cookies.SESSION)
        response.headers["Clear-Site-Data"] = '"cache"'
        return response

    @views.get("/me")
    def me() -> Response:
        caller = guard.session(request)
        principal = caller.principal
        response = jsonify(
            person=principal.person, name=principal.name, username=principal.username, posts=list(principal.posts),
            roles=sorted(principal.roles), clearance=principal.clearance, csrf=caller.session.csrf if caller.session else "",
        )  # fmt: skip
        response.headers["Cache-Control"] = "no-store"
        return response

    @views.errorhandler(TongbanError)
    def refused(error: TongbanError) -> Response:
        if isinstance(error, Unavailable) and request.path in ("/auth/login", "/auth/callback"):
            return _page("统一身份认证暂时不可用", "请稍后再试。已登录的同事不受影响。", 503)
        if isinstance(error, TooOften) and request.path == "/auth/login":
            return _page("操作过于频繁", "请稍候片刻再登录。", 429)
        return failure(error)

    return views


def backchannel(parts: GatewayParts) -> Blueprint:
    """What Keycloak calls directly when a session ends there."""
    views = Blueprint("backchannel", __name__, url_prefix="/auth")

    @views.post("/backchannel-logout")
    def logout() -> Response:
        try:
            claims = parts.oidc.check_logout_token(request.form.get("logout_token", ""))
            if not parts.once.first(f"logout|{claims['jti']}", 3600):
                raise NotSignedIn("NOT_SIGNED_IN", "重复的注销请求。", "This logout token was used.")
        except NotSignedIn as problem:
            _log.warning("logout token refused", problem=str(problem))
            return Response('{"error":"invalid_request"}', 400, {"Cache-Control": "no-store"}, "application/json")
        count = parts.sessions.end_login(claims["sid"])
        _log.info("logout by identity provider", sessions=count)
        return Response("", 200, {"Cache-Control": "no-store"})

    return views


def _go(address: str) -> Response:
    response = redirect(address, 303 if request.method == "POST" else 302)
    response.headers["Cache-Control"] = "no-store"
    return response  # type: ignore[return-value]


def _page(title: str, text: str, status: int) -> Response:
    """A small page in place of a redirect that cannot be made."""
    retry = "/auth/login"
    html = render_template("message.html", title=title, text=text, retry=retry, request_id=g.request_id)
    return Response(html, status, {"Cache-Control": "no-store"}, content_type="text/html; charset=utf-8")


def plain(error: HTTPException) -> Response:
    """Any other refusal of the HTTP layer, in the same form."""
    body: dict[str, Any] = {
        "type": "about:blank",
        "title": problems.TITLES.get(error.code or 500, problems.TITLES[500])[0],
        "status": error.code or 500,
        "request_id": g.get("request_id", ""),
    }
    response = jsonify(body)
    response.status_code = error.code or 500
    response.content_type = "application/problem+json"
    return response




def internal(request_id: str) -> Internal:
    """A fault of ours: only its number leaves the house."""
    return Internal("INTERNAL", f"系统出现错误，请联系管理员（编号 {request_id}）。", f"Internal error ({request_id}).")
