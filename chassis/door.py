"""The one door to a service's data: every call is verified, authorised, bounded in time, logged, and its errors typed.

`WHO` is the service's table: method name → frozenset of callers ("person", "registrar", "leader", "service:<unit>", "service", a realm role).
A method that is missing from it is refused, whoever calls.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any

import grpc
from grpc_status import rpc_status

from chassis import clock, context, log, metrics, origin, telemetry, tls
from chassis.audit import Audit, First
from chassis.errors import Forbidden, Internal, TongbanError, from_rpc_error, timed_out
from chassis.identity import Verifier
from chassis.settings import Settings

LONGEST = 30.0  # seconds that a call may take when its caller set no deadline
_OPEN = ("/grpc.health.v1.Health/",)
_log = log.get(__name__)

Who = Mapping[str, frozenset[str]]


def callers(*names: str) -> frozenset[str]:
    """An entry of the table: these callers may call."""
    return frozenset(names)


class Door(grpc.ServerInterceptor):  # type: ignore[misc] # a library without types
    """Stands before every method of every service in this server."""

    def __init__(self, settings: Settings, verifier: Verifier, who: Who, audit: Audit | None = None) -> None:
        self._audit = audit
        self._address_key = settings.optional_secret(origin.SECRET)
        self._verifier = verifier
        self._who = who
        self._peers = tls.admitted(settings.service)
        self._demo_key = settings.optional_secret("demo-key")

    def intercept_service(
        self, continuation: Callable[[Any], grpc.RpcMethodHandler | None], details: grpc.HandlerCallDetails
    ) -> grpc.RpcMethodHandler | None:
        """Wrap the handler, whatever its shape."""
        handler = continuation(details)
        if handler is None or details.method.startswith(_OPEN):
            return handler
        method, meta = details.method, dict(details.invocation_metadata or ())
        seen: Any = First if handler.request_streaming else lambda request: request
        if handler.response_streaming:
            inner = handler.stream_stream or handler.unary_stream
            make = (
                grpc.stream_stream_rpc_method_handler
                if handler.request_streaming
                else grpc.unary_stream_rpc_method_handler
            )
            wrapped: Any = lambda request, rpc: self._stream(inner, method, meta, seen(request), rpc)  # noqa: E731
        else:
            inner = handler.stream_unary or handler.unary_unary
            make = (
                grpc.stream_unary_rpc_method_handler
                if handler.request_streaming
                else grpc.unary_unary_rpc_method_handler
            )
            wrapped = lambda request, rpc: self._single(inner, method, meta, seen(request), rpc)  # noqa: E731
        return make(wrapped, handler.request_deserializer, handler.response_serializer)

    def _single(
        self,
        inner: Callable[..., Any],
        method: str,
        meta: dict[str, str],
        request: Any,
        rpc: grpc.ServicerContext,
    ) -> Any:
        started, answer = time.monotonic(), None
        with context.serving(self._call(method, meta, rpc)) as call:
            error: TongbanError | None = None
            try:
                with telemetry.span(method, call.traceparent) as trace:
                    self._admit(method, meta, trace)
                    answer = inner(request, rpc)
            except Exception as problem:  # noqa: BLE001 - typed or not, it must not leave as it is
                error = self._typed(problem)
            # Before the answer leaves: what was done must be on record.
            error = self._on_record(method, request, answer, error, rpc)
            _done(started, error.reason if error else "OK")
            if error is None:
                return answer
        rpc.abort_with_status(rpc_status.to_status(error.to_status()))
        return None

    def _stream(
        self,
        inner: Callable[..., Any],
        method: str,
        meta: dict[str, str],
        request: Any,
        rpc: grpc.ServicerContext,
    ) -> Iterator[Any]:
        started = time.monotonic()
        call = self._call(method, meta, rpc)
        outcome = (
            "CANCELLED"  # unless it comes to an end: who no longer reads ends the generator where it stands
        )
        error: TongbanError | None = None
        begun = False
        try:
            with telemetry.span(method, call.traceparent) as trace:
                call = replace(call, traceparent=trace)
                # A generator's steps may run in different contexts, so the call is entered for each step by itself.
                with context.serving(call):
                    try:
                        self._admit(method, meta, trace)
                    finally:
                        call = context.current()  # with the caller, also of a call that is refused
                    answers = iter(inner(request, rpc))
                while True:
                    with context.serving(call):
                        try:
                            answer = next(answers)
                        except StopIteration:
                            break
                        if not begun:
                            self._begin(method, request, rpc)
                            begun = True
                    yield answer
            outcome = "OK"
        except Exception as problem:  # noqa: BLE001 - see _single
            with context.serving(call):
                error = self._typed(problem)
            outcome = error.reason
        finally:
            with context.serving(call):
                if not begun:
                    error = self._on_record(method, request, None, error, rpc)
                _done(started, outcome)
        if error is not None:
            rpc.abort_with_status(rpc_status.to_status(error.to_status()))

    def _call(self, method: str, meta: dict[str, str], rpc: grpc.ServicerContext) -> context.Call:
        left = rpc.time_remaining()
        seconds = min(left, LONGEST) if left is not None else LONGEST
        request_id = _clean(meta.get("x-request-id", "")) or uuid.uuid4().hex
        return context.Call(
            request_id=request_id,
            address=origin.proven(meta.get(origin.HEADER, ""), request_id, self._address_key),
            marks={},
            method=method.rpartition("/")[2],
            deadline=time.monotonic() + seconds,
            traceparent=telemetry.received(meta.get("traceparent", "")),
            peer=tls.peer(rpc),
        )

    def _admit(self, method: str, meta: dict[str, str], trace: str) -> None:
        if context.amend(traceparent=trace).left() == 0:
            # It waited for a thread until nobody waited for its answer any more.
            raise timed_out()
        self._admit_peer()
        scheme, _, token = meta.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not token:
            raise context.no_caller("No access token.")
        principal = self._verifier.verify(token)
        now = clock.stated(meta[clock.HEADER], self._demo_key) if clock.HEADER in meta else None
        context.amend(principal=principal, token=token, now=now)
        peer = context.current().peer
        if principal.service and peer and peer != principal.service:
            # A service's token is worth nothing without the certificate of that service.
            raise _not_admitted(f"The certificate of {peer} came with the token of {principal.service}.")
        allowed = self._who.get(method.rpartition("/")[2], frozenset())
        if not allowed & principal.callers:
            raise Forbidden("NOT_YOUR_ROLE", "您的岗位没有此项权限。", "Your role may not call this method.")
        if self._audit:
            self._audit.admit(method.rpartition("/")[2])

    def _on_record(
        self, method: str, request: Any, answer: Any, error: TongbanError | None, rpc: grpc.ServicerContext
    ) -> TongbanError | None:
        """Keep the call's record; the error to answer with, which is another one when the record could not be kept."""
        return (self._audit and self._audit.kept(method, request, answer, error, rpc)) or error

    def _begin(self, method: str, request: Any, rpc: grpc.ServicerContext) -> None:
        """The same for a stream, before its first piece leaves; raises what is to be answered instead."""
        refused = self._on_record(method, request, None, None, rpc)
        if refused is not None:
            raise refused

    def _admit_peer(self) -> None:
        """Whoever the token speaks for, the call must come through a unit that has business here."""
        if self._peers is not None and context.current().peer not in self._peers:
            raise _not_admitted(f"The unit {context.current().peer} may not call this service.")

    def _typed(self, problem: Exception) -> TongbanError:
        if isinstance(problem, TongbanError):
            return problem
        if isinstance(problem, grpc.RpcError) and hasattr(problem, "code"):
            return from_rpc_error(problem)
        request_id = context.current().request_id
        _log.error("unexpected", exc_info=problem)
        return Internal(
            "INTERNAL",
            f"系统出现错误，请联系管理员（编号 {request_id}）。",
            f"Internal error ({request_id}).",
        )


def _not_admitted(why: str) -> Forbidden:
    return Forbidden("PEER_NOT_ADMITTED", "此服务不接受该调用方的请求。", why)


def _done(started: float, outcome: str) -> None:
    seconds = time.monotonic() - started
    metrics.CALLS.done(seconds, context.current().method, outcome)
    _log.info("call", ms=round(seconds * 1000, 1), outcome=outcome)


def _clean(given: str) -> str:
    return given if len(given) <= 64 and given.replace("-", "").isalnum() else ""
