"""Every request at the gateway is counted by its route and status and belongs to a trace; what people ask leaves a log line."""

from __future__ import annotations

import time
from contextlib import ExitStack

from flask import Flask, Response, g, request

from chassis import log, metrics, telemetry

VERBS = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}
# The edge asks before each of its own requests, and the supervisor every few moments.
SILENT = {"/auth/check", "/auth/app-check", "/healthz"}
_log = log.get(__name__)


def install(flask: Flask) -> None:
    """Measure the requests of `flask`; `g.traceparent` is what calls to services hand on."""

    @flask.before_request
    def begin() -> None:
        g.began = time.monotonic()
        g.span = ExitStack()
        parent = telemetry.received(request.headers.get("traceparent", ""))
        g.traceparent = g.span.enter_context(telemetry.span(f"gateway {request.method} {_route()}", parent))

    @flask.after_request
    def end(response: Response) -> Response:
        seconds, route = time.monotonic() - g.began, _route()
        if route != "/healthz":
            verb = request.method if request.method in VERBS else "other"
            metrics.REST.done(seconds, route, verb, str(response.status_code))
        if route not in SILENT:
            _log.info(
                "request", request_id=g.get("request_id", ""), trace=telemetry.trace_of(g.traceparent), route=route,
                verb=request.method, status=response.status_code, ms=round(seconds * 1000, 1), person=g.get("person", ""),
            )  # fmt: skip
        return response

    @flask.teardown_request
    def leave(_problem: BaseException | None) -> None:
        span = g.pop("span", None)
        if span is not None:
            span.close()


def _route() -> str:
    """The template of the address, never the address itself: these are names of figures."""
    return g.get("route") or (request.url_rule.rule if request.url_rule else "none")
