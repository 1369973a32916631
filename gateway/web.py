"""The gateway's process for browsers and programs: sessions, the edge's questions, REST, and its description.

gunicorn --worker-class gthread --threads 32 'gateway.web:app()'
"""

from __future__ import annotations

from pathlib import Path

from flask import Flask, Response, g, request
from werkzeug.exceptions import HTTPException, RequestEntityTooLarge

from chassis import log, metrics, telemetry
from chassis.health import Health
from chassis.settings import Settings, settings
from gateway import api_pages, auditing, backchannel, edge_headers, measures
from gateway.api import BODY_BYTES, Api, failure, too_large
from gateway.auth_pages import AuthPages
from gateway.edge_answers import EdgeAnswers
from gateway.guard import Guard
from gateway.parts import GatewayParts
from gateway.problems import internal, plain_problem
from gateway.routes import Routes, load
from gateway.upstream import Upstream

HERE = Path(__file__).parent
_log = log.get(__name__)


def app(given: Settings | None = None) -> Flask:
    """The WSGI application; gunicorn calls this in each worker, after the fork."""
    given = given or settings()
    log.configure("gateway", given.process)
    telemetry.start("gateway", given.process)
    routes, parts = load(), GatewayParts(given)
    metrics.serve()
    return create(parts, routes, Upstream(routes))


def create(parts: GatewayParts, routes: Routes, upstream: Upstream) -> Flask:
    """The application over these parts; tests bring their own."""
    flask = Flask(__name__, template_folder=str(HERE / "templates"), static_folder=None)
    flask.config.update(MAX_CONTENT_LENGTH=BODY_BYTES, MAX_FORM_MEMORY_SIZE=1 << 20, MAX_FORM_PARTS=50)
    guard = Guard(parts)
    measures.install(flask)

    @flask.before_request
    def begin() -> None:
        g.request_id = edge_headers.request_id(request)

    refusals = auditing.Refusals(parts.audit)

    @flask.after_request
    def end(response: Response) -> Response:
        if (error := g.pop("refused", None)) is not None:
            refusals.take(error)
        response.headers["X-Request-ID"] = g.get("request_id", "")
        response.headers.setdefault("X-Content-Type-Options", "nosniff")
        return response

    @flask.errorhandler(RequestEntityTooLarge)
    def large(_error: RequestEntityTooLarge) -> Response:
        return failure(too_large())

    @flask.errorhandler(HTTPException)
    def plain(error: HTTPException) -> Response:
        return plain_problem(error)

    @flask.errorhandler(Exception)
    def unexpected(error: Exception) -> Response:
        trace = telemetry.trace_of(g.get("traceparent", ""))
        _log.error("unexpected", request_id=g.get("request_id", ""), trace=trace, exc_info=error)
        return failure(internal(g.get("request_id", "")))

    health = Health(needed={"store": parts.store.ping}, useful={"bus": lambda: parts.bus.up})
    metrics.ready(health.serving)

    @flask.get("/healthz")
    def healthz() -> Response:
        return Response("ok\n" if health.serving() else "not ready\n", 200 if health.serving() else 503)

    flask.register_blueprint(EdgeAnswers(parts, guard).blueprint())
    flask.register_blueprint(AuthPages(parts, guard).blueprint())
    flask.register_blueprint(backchannel.blueprint(parts))
    flask.register_blueprint(api_pages.blueprint(routes, parts.settings.public_url))
    flask.register_blueprint(Api(routes, upstream, guard).blueprint())
    _log.info("gateway ready", routes=len(routes.all))
    return flask
