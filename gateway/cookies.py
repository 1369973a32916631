"""The gateway's cookies: one place that sets their attributes, so that none is forgotten."""

from __future__ import annotations

from flask import Response

# The prefix makes browsers insist on Secure, Path=/ and no Domain: no other host and no plain-text answer can
# plant one.
SESSION = "__Host-tongban"
LOGIN = "__Host-tongban-login"
ENTRY = "__Host-tongban-app"


def put(response: Response, name: str, value: str, seconds: int | None = None) -> None:
    """Set a cookie; without `seconds` it lasts until the browser closes."""
    response.set_cookie(name, value, max_age=seconds, path="/", secure=True, httponly=True, samesite="Lax")


def drop(response: Response, name: str) -> None:
    """Make the browser forget a cookie."""
    put(response, name, "", 0)
