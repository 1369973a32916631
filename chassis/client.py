"""Calls to other units: with the caller's token, what is left of the deadline, and retries where they are safe.

Only UNAVAILABLE is retried: every mutating request carries a request_id, so a repetition has no second effect. A unit that has
not answered for a while is not waited for (chassis.breaker).
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any
from weakref import WeakKeyDictionary

import grpc

from chassis import context, origin, tls
from chassis.breaker import Breaker
from chassis.errors import TongbanError, away, from_rpc_error, timed_out
from chassis.server import MESSAGE_BYTES
from chassis.settings import grpc_address

ATTEMPTS = 4
# A deadline that left less than this says nothing about who did not meet it.
FAIR_SECONDS = 1.0
_channels: dict[str, tuple[int, grpc.Channel]] = {}  # with the stamp of the certificate that it shows
_breakers: WeakKeyDictionary[grpc.Channel, Breaker] = WeakKeyDictionary()
_lock = threading.Lock()


def channel(unit: str) -> grpc.Channel:
    """This process's channel to a unit; made on first use, so after any fork, and anew when our certificate was renewed."""
    own = tls.identity()
    stamp = own.stamp if own else 0
    with _lock:
        if unit not in _channels or _channels[unit][0] != stamp:
            made = tls.open_channel(
                grpc_address(unit),
                unit,
                [
                    ("grpc.max_receive_message_length", MESSAGE_BYTES),
                    ("grpc.max_send_message_length", MESSAGE_BYTES),
                    ("grpc.initial_reconnect_backoff_ms", 100),
                    ("grpc.min_reconnect_backoff_ms", 100),
                    ("grpc.max_reconnect_backoff_ms", 500),
                    # A link that was cut without a word is found out, and made anew.
                    ("grpc.keepalive_time_ms", 5000),
                    ("grpc.keepalive_timeout_ms", 3000),
                    ("grpc.enable_retries", 0),
                ],
                own,
            )
            _channels[unit] = stamp, made
        return _channels[unit][1]


def breaker(unit: str) -> Breaker:
    """What is known of a unit's absence on this process's present channel to it."""
    through = channel(unit)
    with _lock:
        return _breakers.setdefault(through, Breaker(unit))


class Client:
    """A generated stub that speaks for the current call: Client("tasks", tasks_pb2_grpc.TaskServiceStub).ListTodo(request).

    token: where the token comes from when there is no current call (a service account's). Errors are chassis.errors types.
    """

    def __init__(
        self, unit: str, stub: Callable[[grpc.Channel], Any], token: Callable[[], str] | None = None
    ) -> None:
        self._unit = unit
        self._make = stub
        self._bound: grpc.Channel | None = None
        self._stub: Any = None
        self._token = token

    def __getattr__(self, method: str) -> Callable[..., Any]:
        if method.startswith("_"):
            raise AttributeError(method)

        def call(request: Any, seconds: float | None = None) -> Any:
            through = channel(self._unit)
            if through is not self._bound:
                # The stub first: another thread that sees the channel bound must find its stub.
                self._stub = self._make(through)
                self._bound = through
            return self._call(getattr(self._stub, method), request, seconds)

        # Kept as an attribute, so that the next call does not come through __getattr__. The channel itself waits for the
        # first call: a module may name a method at import, long before its process knows its addresses.
        setattr(self, method, call)
        return call

    def _call(self, rpc: Any, request: Any, seconds: float | None) -> Any:
        now = context.current()
        end = time.monotonic() + min(now.left(), seconds or 3600.0)
        streaming = not isinstance(rpc, grpc.UnaryUnaryMultiCallable)
        known = breaker(self._unit)
        for attempt in range(1, ATTEMPTS + 1):
            left = end - time.monotonic()
            if left <= 0:
                raise timed_out()
            if not known.admits():
                raise away()
            try:
                answer = rpc(request, timeout=left, metadata=self._metadata(now))
            except grpc.RpcError as error:
                problem = from_rpc_error(error)
                _learn(known, problem, left)
                pause = random.uniform(0.05, 0.1) * 2**attempt  # noqa: S311
                again = error.code() is grpc.StatusCode.UNAVAILABLE and not streaming and attempt < ATTEMPTS
                if again and time.monotonic() + pause < end:
                    time.sleep(pause)
                    continue
                raise problem from error
            if not streaming:
                known.succeeded()
            return typed(answer) if isinstance(answer, grpc.Call) and isinstance(answer, Iterator) else answer
        raise AssertionError("the loop returns or raises")

    def _metadata(self, now: context.Call) -> list[tuple[str, str]]:
        token = now.token or (self._token() if self._token else "")
        metadata = [("x-request-id", now.request_id)]
        if token:
            metadata.append(("authorization", f"Bearer {token}"))
        if now.address and (key := origin.own_key()):
            metadata.append((origin.HEADER, origin.stated(now.address, now.request_id, key)))
        if now.traceparent:
            metadata.append(("traceparent", now.traceparent))
        return metadata


def _learn(known: Breaker, problem: TongbanError, left: float) -> None:
    """What a failed call says about the unit: an error of its own says that it is there."""
    if problem.reason == "TIMED_OUT" and left < FAIR_SECONDS:
        return
    if problem.reason in ("UNAVAILABLE", "TIMED_OUT"):
        known.failed()
    else:
        known.succeeded()


def typed(answers: Any) -> Iterator[Any]:
    """The pieces of a streamed answer, with errors as chassis.errors types."""
    try:
        yield from answers
    except grpc.RpcError as error:
        raise from_rpc_error(error) from error
    finally:
        # Who stops reading midway must not leave the server sending.
        answers.cancel()
