"""/api/v1/…: REST in, gRPC out. One view for all routes, because the table of routes is data."""

from __future__ import annotations

import threading
import time

from flask import Blueprint, Response, g, request

from chassis import context
from chassis.errors import Conflict, NotFound, NotSignedIn, TongbanError, TooMuch
from chassis.places import Places
from chassis.settings import number
from chassis.web.files import send
from gateway import edge_headers, problems, transcode
from gateway.guard import Caller, Guard, TooOften
from gateway.path_templates import BadPath
from gateway.routes import Route, Routes
from gateway.strict_json import bad_field
from gateway.upstream import Upstream

BODY_BYTES = 4 << 20
STREAM_SECONDS = 300.0
VERBS = ["GET", "POST", "PUT", "PATCH", "DELETE"]


class NoSuchMethod(NotFound):
    """The path exists, for other HTTP methods."""

    allowed: tuple[str, ...] = ()


class Api:
    """Serves the routes."""

    def __init__(self, routes: Routes, upstream: Upstream, guard: Guard) -> None:
        self._routes = routes
        self._upstream = upstream
        self._guard = guard
        self._seconds = number("API_SECONDS", 10)
        self._places = Places(int(number("API_AT_ONCE", 16)), int(number("API_AT_ONCE_PER_UNIT", 12)))
        self._in_flight: set[tuple[str, str]] = set()
        self._lock = threading.Lock()

    def blueprint(self) -> Blueprint:
        """The view for all routes."""
        views = Blueprint("api", __name__)
        views.add_url_rule("/api/v1/<path:path>", "call", lambda path: self.answer(), methods=VERBS)  # noqa: ARG005
        return views

    def answer(self) -> Response:
        """Serve the current request; errors are answers too."""
        try:
            return self._answer()
        except TongbanError as error:
            return failure(error)

    def _answer(self) -> Response:
        self._guard.address(request)
        caller = self._guard.caller(request)
        route, path = self._route()
        g.route, g.person = route.template.text, caller.principal.person
        body = (
            request.get_data(cache=False) if request.content_length or request.content_length is None else b""
        )
        if body and not request.is_json:
            raise bad_field("", "请求体应为 application/json")
        message = transcode.build(route, path, request.args.items(multi=True), body)
        _set_etag(route, message)
        key = _set_request_id(route, message)
        call = context.Call(
            request_id=g.request_id,
            principal=caller.principal,
            token=caller.token,
            method=route.method.name,
            deadline=time.monotonic() + (STREAM_SECONDS if route.streaming else self._seconds),
            traceparent=g.traceparent,
            address=edge_headers.address(request),
        )
        with context.serving(call):
            if route.streaming:
                return send(
                    self._places.held(route.unit, self._upstream.call(route, message, STREAM_SECONDS))
                )
            with self._alone(caller, key), self._places.one(route.unit):
                answer = self._upstream.call(route, message, self._seconds)
        response = Response(transcode.to_json(route, answer), content_type="application/json")
        if etag := getattr(answer, "etag", ""):
            response.headers["ETag"] = f'"{etag}"'
        response.headers["Cache-Control"] = "no-store"
        return response

    def _route(self) -> tuple[Route, dict[str, str]]:
        raw = request.environ.get("RAW_URI") or request.environ.get("REQUEST_URI") or request.full_path
        path = raw.partition("?")[0]
        verb = "GET" if request.method == "HEAD" else request.method
        try:
            found = self._routes.find(verb, path)
            if found is not None:
                return found
            allowed = self._routes.verbs(path)
        except BadPath as problem:
            raise bad_field("", "地址不是有效的 UTF-8") from problem
        if allowed:
            error = NoSuchMethod(
                "METHOD_NOT_ALLOWED", "此地址不支持该方法。", "This path does not know the method."
            )
            error.allowed = tuple(allowed)
            raise error
        raise NotFound("NO_SUCH_PATH", "没有这个接口。", "There is no such path.")

    def _alone(self, caller: Caller, key: str) -> _Alone:
        return _Alone(self._in_flight, self._lock, (caller.principal.person, key))


class _Alone:
    """While one request with a key is under way in this process, a second one is told to come back."""

    def __init__(self, in_flight: set[tuple[str, str]], lock: threading.Lock, mark: tuple[str, str]) -> None:
        self._in_flight, self._lock, self._mark = in_flight, lock, mark

    def __enter__(self) -> None:
        if self._mark[1]:
            with self._lock:
                if self._mark in self._in_flight:
                    raise InFlight(
                        "REQUEST_IN_FLIGHT", "相同的请求正在处理，请稍候。", "The same request is under way."
                    )
                self._in_flight.add(self._mark)

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._in_flight.discard(self._mark)


class InFlight(Conflict):
    """The same Idempotency-Key is being served."""


def failure(error: TongbanError) -> Response:
    """`error` as the answer to the current request."""
    g.refused = error
    wait = error.wait if isinstance(error, TooOften) else 1 if isinstance(error, InFlight) else 0
    response = problems.problem(
        error,
        request_id=g.request_id,
        english=problems.wants_english(request.headers.get("Accept-Language", "")),
        with_if_match="If-Match" in request.headers,
        wait=wait,
    )
    if isinstance(error, NoSuchMethod):
        response.headers["Allow"] = ", ".join(error.allowed)
    if isinstance(error, NotSignedIn):
        response.headers["WWW-Authenticate"] = 'Bearer realm="tongban"'
    return response


def too_large() -> TooMuch:
    """The answer to a body over the limit."""
    return TooMuch("TOO_LARGE", f"请求体超过 {BODY_BYTES >> 20} MB 的上限。", "The body is too large.")


def _set_etag(route: Route, message: object) -> None:
    given = request.headers.get("If-Match", "").strip()
    if not given or not route.has_field("etag"):
        return
    etag = given.removeprefix("W/")
    if len(etag) < 2 or etag[0] != '"' or etag[-1] != '"' or '"' in etag[1:-1] or len(etag) > 100:
        raise bad_field("If-Match", "应为一个带引号的版本标记")
    if getattr(message, "etag", "") not in ("", etag[1:-1]):
        raise bad_field("etag", "与 If-Match 不一致")
    setattr(message, "etag", etag[1:-1])  # noqa: B010 - the field's existence was asked of the descriptor


def _set_request_id(route: Route, message: object) -> str:
    """The key under which this request may be repeated, '' when the method has none."""
    if not route.unsafe or not route.has_field("request_id"):
        return ""
    inside = getattr(message, "request_id", "")
    header = request.headers.get("Idempotency-Key", "").strip().strip('"')
    if header and inside and header != inside:
        raise bad_field("request_id", "与 Idempotency-Key 不一致")
    # Without a key of the client's, the request's own id: the edge sends the same one when it repeats a request.
    key = header or inside or g.request_id
    if not 8 <= len(key) <= 64 or not key.isascii() or not key.isprintable():
        raise bad_field("request_id", "请求编号应为 8 至 64 个可打印字符")
    setattr(message, "request_id", key)  # noqa: B010 - as above
    return key
