"""How a view answers: redirect with a message, toast beside a fragment, pages of a list."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, unquote, urlencode

from flask import Flask, Response, g, make_response, redirect, request
from flask.typing import ResponseReturnValue

TONES = ("good", "info", "warn", "bad")
# The server itself reads it back on the next page, so it can have every protection that a cookie can have.
# Not of the gateway's family `__Host-tongban…`, which the edge hands to nobody else.
_TOAST_COOKIE = "__Host-message"
_COOKIE: dict[str, Any] = {"path": "/", "samesite": "Lax", "secure": True, "httponly": True}


def htmx() -> bool:
    """Whether a fragment is asked for. A history restore wants the whole page."""
    headers = request.headers
    return headers.get("HX-Request") == "true" and headers.get("HX-History-Restore-Request") != "true"


def go(url: str, message: str | None = None, tone: str = "good") -> Response:
    """Redirect after a write, for plain forms (303) and htmx (HX-Redirect); `message` becomes a toast."""
    if htmx():
        response = make_response("", 200)
        response.headers["HX-Redirect"] = url
    else:
        response = make_response(redirect(url, 303))
    if message:
        value = quote(json.dumps({"text": message, "tone": tone}, ensure_ascii=False))
        response.set_cookie(_TOAST_COOKIE, value, max_age=30, **_COOKIE)
    return response


def toast(
    answer: ResponseReturnValue, message: str, tone: str = "good", event: str | None = None
) -> Response:
    """`answer` with a toast; `event` is triggered on body as well, e.g. "tongban:todo"."""
    response = trigger(make_response(answer), "tongban:toast", {"text": message, "tone": tone})
    return trigger(response, event, {}) if event else response


def trigger(response: Response, event: str, detail: dict[str, Any]) -> Response:
    """`response` with one more htmx event. JSON escapes keep the header within ASCII."""
    events = json.loads(response.headers.get("HX-Trigger", "{}"))
    events[event] = detail
    response.headers["HX-Trigger"] = json.dumps(events)
    return response


@dataclass(frozen=True)
class Page:
    """Where a reader stands in a list: hrefs of the next page and of the first one (None: already there)."""

    next_href: str | None
    first_href: str | None
    total: int | None = None


def paged(next_page_token: str, total: int | None = None) -> Page:
    """The links of a keyset-paged list; the page asked for is `request.args.get("cursor", "")`."""
    kept = [(name, value) for name, value in request.args.items(multi=True) if name != "cursor"]

    def href(*more: tuple[str, str]) -> str:
        query = urlencode([*kept, *more])
        return f"{request.path}?{query}" if query else request.path

    return Page(
        next_href=href(("cursor", next_page_token)) if next_page_token else None,
        first_href=href() if request.args.get("cursor") else None,
        total=total,
    )


def waiting_toast() -> str:
    """The message that `go` left for this page, as JSON; '' when there is none. It is shown as text only."""
    g.toast_shown = True
    return unquote(request.cookies.get(_TOAST_COOKIE, ""))


def install(app: Flask) -> None:
    """Make `htmx()` and `waiting_toast()` known to templates; a message that was shown is forgotten."""
    app.jinja_env.globals["htmx"] = htmx
    app.jinja_env.globals["waiting_toast"] = waiting_toast

    @app.after_request
    def forget(response: Response) -> Response:
        if g.get("toast_shown") and _TOAST_COOKIE in request.cookies:
            response.delete_cookie(_TOAST_COOKIE, **_COOKIE)
        return response
