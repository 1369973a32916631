"""What a process counts and measures, and the `/metrics` at which Prometheus and the page of the system's state read it.

Which unit and process a figure is of is said by the list of targets (deploy/local/targets.py), not by labels of every series.
A label takes few values by construction: names of methods, route templates, status codes, reasons of errors, event types.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any
from wsgiref.simple_server import WSGIServer

from prometheus_client import REGISTRY, Counter, Histogram, disable_created_metrics, start_http_server
from prometheus_client.core import GaugeMetricFamily

from chassis import log
from chassis.settings import SettingMissing, text

BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
MOST = 1000  # combinations of labels of one metric; whatever comes after them is counted as "other"
MOVE = 1.0  # seconds between two looks whether a lower port is free
_log = log.get(__name__)
disable_created_metrics()  # type: ignore[no-untyped-call]


class Timed:
    """`<name>_total` by all labels, and `<name>_seconds` by the first one."""

    def __init__(self, name: str, what: str, *labels: str) -> None:
        self._total = Counter(f"{name}_total", what, labels)
        self._seconds = Histogram(f"{name}_seconds", f"{what}: seconds", labels[:1], buckets=BUCKETS)
        self._labels = len(labels)
        self._children: dict[tuple[str, ...], tuple[Any, Any]] = {}
        self._lock = threading.Lock()

    def done(self, seconds: float, *values: str) -> None:
        """Count one that took so long."""
        # Looked up here, for the library's own way to a labelled series costs more than the counting.
        counter, histogram = self._children.get(values) or self._series(values)
        counter.inc()
        histogram.observe(seconds)

    def _series(self, values: tuple[str, ...]) -> tuple[Any, Any]:
        with self._lock:
            if values not in self._children and len(self._children) >= MOST:
                values = ("other",) * self._labels
            made = self._total.labels(*values), self._seconds.labels(values[0])
            return self._children.setdefault(values, made)


CALLS = Timed("tongban_calls", "Calls of this process's gRPC methods", "method", "outcome")
PAGES = Timed("tongban_pages", "Requests for pages", "route", "status")
REST = Timed("tongban_rest", "Requests at the gateway", "route", "method", "status")
EVENTS = Timed("tongban_events", "Events handled", "consumer", "event", "outcome")
PUBLISHED = Counter("tongban_events_published_total", "Events that the stream has acknowledged", ["event"])

Value = float | Mapping[str, float] | None


class _Figure:
    """One figure that is asked for when somebody looks."""

    def __init__(self, name: str, what: str, ask: Callable[[], Value], label: str) -> None:
        self.name, self.what, self.ask, self.label = name, what, ask, label

    def describe(self) -> list[GaugeMetricFamily]:
        """The name without a value: the registry wants to know it, and nobody has looked yet."""
        return [GaugeMetricFamily(self.name, self.what)]

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """The value of this moment."""
        try:
            value = self.ask()
        except Exception as problem:  # noqa: BLE001 - a figure that cannot be had must not keep the others away
            _log.warning("figure missing", figure=self.name, problem=str(problem) or type(problem).__name__)
            return
        family = GaugeMetricFamily(self.name, self.what, labels=[self.label] if self.label else [])
        if isinstance(value, Mapping):
            for key, number in list(value.items())[:MOST]:
                family.add_metric([key], number)
        elif value is not None:
            family.add_metric([], value)
        yield family


_figures: dict[str, _Figure] = {}
# A process has several connections to the broker, which threads of their own open at the same moment.
_naming = threading.Lock()


def watch(name: str, what: str, ask: Callable[[], Value], label: str = "") -> None:
    """Report `name` with what `ask` answers whenever somebody looks; None is no figure, a mapping is one for each value of `label`.

    The last one who watches a name is asked.
    """
    with _naming:
        if name in _figures:
            _figures[name].ask = ask
            return
        figure = _Figure(name, what, ask, label)
        REGISTRY.register(figure)  # a collector by its methods
        _figures[name] = figure


def ready(ask: Callable[[], bool]) -> None:
    """Report what `ask` says as this process's readiness."""
    watch("tongban_ready", "Whether this process can do its work", lambda: float(ask()))


def serve() -> int:
    """Serve /metrics on the first free port of TONGBAN_METRICS (`host:first-last`); 0 without that setting. After any fork.

    Several workers of one gunicorn are given several ports, so each is a target of its own with its own memory and counters. While
    a process is renewed its successor takes the next port, or none; once the predecessor has ended it moves down, so that the first
    ports are always those in use.
    """
    given = text("METRICS")
    if not given:
        return 0
    host, _, ports = given.rpartition(":")
    first, _, last = ports.partition("-")
    if not host or not first.isdecimal() or not (last or first).isdecimal():
        raise SettingMissing(
            f"The setting TONGBAN_METRICS must be host:port or host:first-last, not {given!r}."
        )
    low, high = int(first), int(last or first) + 1
    port, server = _first_free(host, range(low, high)) or (high, None)
    if server is None:
        # The work goes on: figures are no reason to refuse calls.
        _log.warning("no port left for metrics", given=given)
    if port > low:
        threading.Thread(target=_move_down, args=(host, low, port, server), daemon=True).start()
    return port if server else 0


def _first_free(host: str, ports: range) -> tuple[int, WSGIServer] | None:
    for port in ports:
        try:
            server, _ = start_http_server(port, host)
        except OSError:
            continue
        _log.info("metrics", address=f"{host}:{port}")
        return port, server
    return None


def _move_down(host: str, first: int, port: int, server: WSGIServer | None) -> None:
    while port > first:
        time.sleep(MOVE)
        if (found := _first_free(host, range(first, port))) is not None:
            if server:
                server.shutdown()
                server.server_close()
            port, server = found
