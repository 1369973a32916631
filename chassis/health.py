"""grpc.health.v1 that tells the truth: a service is SERVING only while what it cannot do without answers.

The empty service name stands for the whole; every dependency can be asked for by its own name ("store", "bus").
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import grpc
from grpc_health.v1 import health_pb2 as pb
from grpc_health.v1 import health_pb2_grpc

from chassis import log

FRESH = 1.0  # seconds for which an answer is reused
_log = log.get(__name__)
Probe = Callable[[], Any]


class Health(health_pb2_grpc.HealthServicer):  # type: ignore[misc] # generated without types
    """needed: probes without which the service cannot work; useful: probes that are reported but do not decide.

    A probe raises, or returns False, when its dependency does not answer.
    """

    def __init__(self, needed: dict[str, Probe], useful: dict[str, Probe]) -> None:
        self._needed = needed
        self._probes = {**needed, **useful}
        self._answers: dict[str, tuple[float, bool]] = {}
        self._lock = threading.Lock()
        self.stopping = False

    def up(self, name: str) -> bool:
        """Whether one dependency answers, asked at most once a second."""
        with self._lock:
            at, answer = self._answers.get(name, (0.0, False))
            if time.monotonic() - at > FRESH:
                try:
                    answer = self._probes[name]() is not False
                except Exception as problem:  # noqa: BLE001 - whatever it is, the dependency does not answer
                    _log.warning("dependency away", dependency=name, problem=str(problem))
                    answer = False
                self._answers[name] = (time.monotonic(), answer)
            return answer

    def serving(self) -> bool:
        """Whether everything that is needed answers."""
        return not self.stopping and all(self.up(name) for name in self._needed)

    def report(self) -> dict[str, bool]:
        """Every dependency and whether it answers."""
        return {name: self.up(name) for name in self._probes}

    def Check(self, request: pb.HealthCheckRequest, context: grpc.ServicerContext) -> pb.HealthCheckResponse:  # noqa: N802
        """grpc.health.v1.Health.Check."""
        if request.service and request.service not in self._probes:
            context.abort(grpc.StatusCode.NOT_FOUND, "unknown dependency")
        good = self.up(request.service) if request.service else self.serving()
        kind = pb.HealthCheckResponse
        return kind(status=kind.SERVING if good else kind.NOT_SERVING)

    def Watch(  # noqa: N802
        self, _request: pb.HealthCheckRequest, context: grpc.ServicerContext
    ) -> Iterator[pb.HealthCheckResponse]:
        """grpc.health.v1.Health.Watch would hold one of few threads for ever, so it is not offered."""
        context.abort(grpc.StatusCode.UNIMPLEMENTED, "use Check")
        yield pb.HealthCheckResponse()
