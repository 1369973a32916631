"""What the edge tells the gateway.

It overwrites these headers whatever a client sent, and the gateway is reached through the edge only.
"""

from __future__ import annotations

import re
import uuid

from flask import Request

_REQUEST_ID = re.compile(r"[A-Za-z0-9_-]{8,64}")


def address(request: Request) -> str:
    """The client's address, for limits."""
    return request.headers.get("X-Real-IP", "") or request.remote_addr or ""


def request_id(request: Request) -> str:
    """The id of this request in all logs."""
    given = request.headers.get("X-Request-ID", "")
    return given if _REQUEST_ID.fullmatch(given) else uuid.uuid4().hex
