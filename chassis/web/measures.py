"""Every page request is counted by its route and status, and leaves one log line with its trace."""

from __future__ import annotations

import time

from flask import Flask, Response, g, request

from chassis import log, metrics

_log = log.get(__name__)


def install(app: Flask) -> None:
    """Measure the requests of `app`; to be installed before whatever may refuse them."""

    @app.before_request
    def begin() -> None:
        g.began = time.monotonic()

    @app.after_request
    def end(response: Response) -> Response:
        route = request.url_rule.rule if request.url_rule else "none"
        if route == "/healthz":
            return response
        seconds = time.monotonic() - g.began
        metrics.PAGES.done(seconds, route, str(response.status_code))
        if not (request.endpoint or "").endswith("static"):
            _log.info("page", route=route, status=response.status_code, ms=round(seconds * 1000, 1))
        return response
