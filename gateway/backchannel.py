"""What Keycloak calls directly when a session ends there (OpenID Connect Back-Channel Logout)."""

from __future__ import annotations

from flask import Blueprint, Response, request

from chassis import log
from chassis.errors import NotSignedIn
from gateway import auditing
from gateway.parts import GatewayParts

_REMEMBERED = 3600  # seconds; a logout token is valid for two minutes
_log = log.get(__name__)


def blueprint(parts: GatewayParts) -> Blueprint:
    """POST /auth/backchannel-logout."""
    views = Blueprint("backchannel", __name__, url_prefix="/auth")

    @views.post("/backchannel-logout")
    def logout() -> Response:
        try:
            claims = parts.oidc.check_logout_token(request.form.get("logout_token", ""))
            first = parts.once.first(f"logout|{claims['jti']}", _REMEMBERED)
        except NotSignedIn as problem:
            _log.warning("logout token refused", problem=str(problem))
            auditing.refused(parts.audit, "LogoutTokenRefused", problem)
            return _refused()
        if not first:
            _log.warning("logout token used again")
            return _refused()
        alive = [
            session
            for key in parts.sessions.of_login(claims["sid"])
            if (session := parts.sessions.get(key, touch=False, believe=False))
        ]
        # One that its owner is just leaving is gone already, and on record.
        if alive:
            auditing.ended(parts.audit, alive[-1], "BY_IDENTITY_PROVIDER")
        count = parts.sessions.end_login(claims["sid"])
        _log.info("logout by identity provider", sessions=count)
        return Response("", 200, {"Cache-Control": "no-store"})

    return views


def _refused() -> Response:
    content = '{"error":"invalid_request"}'
    return Response(content, 400, {"Cache-Control": "no-store"}, content_type="application/json")
