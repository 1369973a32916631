"""Who may come in: the access token, the CSRF token, the response headers of every page.

The browser holds a session cookie of the gateway only. The edge has that session checked and passes on the
access token (`Authorization`), the session's CSRF token (`X-Tongban-Csrf`) and the request id; all three are
stripped from what a browser sends.
"""

from __future__ import annotations

import hmac
import re
import time
import uuid
from collections.abc import Callable
from contextlib import ExitStack
from urllib.parse import urlsplit

from flask import Flask, Response, g, request

from chassis import context, telemetry
from chassis.errors import Forbidden, not_signed_in
from chassis.identity_types import Principal

SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
PAGE_SECONDS = 15.0  # a page that takes longer has failed for its reader
HEADERS = {
    "Content-Security-Policy": (
        "default-src 'self'; img-src 'self' data: blob:; object-src 'none'; base-uri 'self'; "
        "form-action 'self'; frame-ancestors 'self'"
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "SAMEORIGIN",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=(), payment=()",
}
_REQUEST_ID = re.compile(r"[A-Za-z0-9_-]{8,64}")


def install(app: Flask, service: str, public: frozenset[str], verify: Callable[[str], Principal]) -> None:
    """Make `app` refuse whoever is not signed in, but for the endpoints in `public`."""

    @app.before_request
    def admit() -> None:
        stated = request.headers.get("X-Request-Id", "")
        g.request_id = stated if _REQUEST_ID.fullmatch(stated) else uuid.uuid4().hex
        g.call = ExitStack()
        name = f"{service} {request.method} {request.endpoint or request.path}"
        parent = telemetry.received(request.headers.get("traceparent", ""))
        call = context.Call(
            request_id=g.request_id,
            deadline=time.monotonic() + PAGE_SECONDS,
            method=name,
            traceparent=g.call.enter_context(telemetry.span(name, parent)),
            address=request.headers.get("X-Real-IP", ""),
        )
        g.call.enter_context(context.serving(call))
        # A public endpoint has no session that a forged request could ride on: no CSRF token either.
        if request.endpoint in public or (request.endpoint or "").endswith(".static"):
            return
        token = _bearer()
        g.principal = verify(token)
        context.amend(principal=g.principal, token=token)
        if request.method not in SAFE:
            _check_csrf()

    @app.teardown_request
    def leave(_problem: BaseException | None) -> None:
        call = g.pop("call", None)
        if call is not None:
            call.close()

    @app.after_request
    def headers(response: Response) -> Response:
        for name, value in HEADERS.items():
            response.headers.setdefault(name, value)
        response.headers["X-Request-Id"] = g.get("request_id", "")
        if not (request.endpoint or "").endswith("static") and "Cache-Control" not in response.headers:
            response.headers["Cache-Control"] = "no-store"
        return response


def csrf_token() -> str:
    """The session's CSRF token as the edge handed it; '' on public pages."""
    return request.headers.get("X-Tongban-Csrf", "")


def _bearer() -> str:
    kind, _, token = request.headers.get("Authorization", "").partition(" ")
    if kind.lower() != "bearer" or not token:
        raise not_signed_in()
    return token.strip()


def _check_csrf() -> None:
    expected = csrf_token()
    given = request.headers.get("X-CSRF-Token") or request.form.get("_csrf", "")
    if _foreign() or not expected or not hmac.compare_digest(expected.encode(), given.encode()):
        raise Forbidden(
            "CSRF",
            "页面已过期，请返回上一页刷新后再试。",
            "The page is out of date; reload it and try again.",
        )


def _foreign() -> bool:
    # Told by browsers of our time; whoever tells nothing is judged by the token alone.
    origin = request.headers.get("Origin")
    if origin is not None and urlsplit(origin).netloc.lower() != request.host.lower():
        return True
    return request.headers.get("Sec-Fetch-Site", "same-origin") not in ("same-origin", "none")
