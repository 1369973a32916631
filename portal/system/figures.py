"""The figures of the engines, for Prometheus: `portal-work` asks them whenever it is asked, and remembers the answers for a moment.

Here rather than in an exporter of its own, because the page of the system's state asks the same of the same engines.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

from chassis import metrics
from chassis.parts import Parts
from portal.system import engines, reading
from portal.system.facts import Broker

FRESH = 5.0  # seconds; one scrape asks each engine once


class Remembered:
    """A question whose answer is good for a moment."""

    def __init__(self, ask: Callable[[], Any]) -> None:
        self._ask = ask
        self._lock = threading.Lock()
        self._at, self._answer = 0.0, None

    def __call__(self) -> Any:
        """The answer."""
        with self._lock:
            if not self._at or time.monotonic() - self._at > FRESH:
                self._answer, self._at = self._ask(), time.monotonic()
            return self._answer


def watch(parts: Parts) -> None:
    """Report the engines' figures in this process."""
    broker = Remembered(engines.broker)
    var = parts.settings.var

    def of_consumers(name: str) -> Callable[[], dict[str, float] | None]:
        return lambda: (
            {one.durable: getattr(one, name) for one in found.consumers} if (found := broker()) else None
        )

    def of_broker(ask: Callable[[Broker], Any]) -> Callable[[], Any]:
        return lambda: ask(found) if (found := broker()) else None

    def up() -> dict[str, float]:
        asked = (engines.database(parts), engines.identity(), engines.edge())
        known = {one.engine: float(one.up) for one in asked if one.up is not None}
        return {**known, "nats": float(broker() is not None)}

    def backup_time() -> float:
        last = reading.backup(var)
        return last.time.timestamp() if last and not last.lost else 0.0

    def certificate() -> float | None:
        ends = reading.certificate_ends()
        return ends.timestamp() if ends else None

    for name, what, ask, label in (
        ("tongban_engine_up", "Whether an engine answers", up, "engine"),
        (
            "tongban_consumer_pending",
            "Events not yet given to a consumer",
            of_consumers("pending"),
            "consumer",
        ),
        (
            "tongban_consumer_unacknowledged",
            "Events given and not done",
            of_consumers("unacknowledged"),
            "consumer",
        ),
        (
            "tongban_consumer_redelivered",
            "Of those, given more than once",
            of_consumers("redelivered"),
            "consumer",
        ),
        ("tongban_stream_bytes", "Bytes of a stream", of_broker(lambda one: one.bytes), "stream"),
        (
            "tongban_stream_bytes_max",
            "Bytes that a stream may have",
            of_broker(lambda one: one.most),
            "stream",
        ),
        ("tongban_dead_letters", "Events that were given up", of_broker(lambda one: one.dead), ""),
        ("tongban_edge_connections", "Connections of the edge", _connections, "state"),
        (
            "tongban_edge_requests",
            "Requests since the edge's start",
            lambda: engines.edge_figures()["requests"],
            "",
        ),
        ("tongban_disk_free_bytes", "Free bytes where the deployment lies", lambda: reading.disk(var)[0], ""),
        ("tongban_disk_size_bytes", "All bytes of that disk", lambda: reading.disk(var)[1] or None, ""),
        (
            "tongban_backup_time_seconds",
            "Of which instant the last backup is; 0: there is none",
            backup_time,
            "",
        ),
        ("tongban_certificate_end_seconds", "When the edge's certificate ends", certificate, ""),
    ):
        metrics.watch(name, what, ask, label)


def _connections() -> dict[str, float]:
    return {name: number for name, number in engines.edge_figures().items() if name != "requests"}
