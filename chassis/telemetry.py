# ruff: noqa: PLC0415 -- imported only when it is asked for
"""One trace id through every process that takes part in a request, in W3C's `traceparent`; it stands in every log line.

Spans are recorded and sent by OpenTelemetry when TONGBAN_OTLP_ENDPOINT is set; otherwise nothing of it is imported.
"""

from __future__ import annotations

import contextlib
import re
import secrets
from collections.abc import Iterator
from typing import Any

from chassis.settings import text

_tracer: Any = None
_TRACEPARENT = re.compile(r"(?!ff)[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")


def received(header: str) -> str:
    """A traceparent as it was sent, '' when it is none."""
    return header if _TRACEPARENT.fullmatch(header) else ""


def fresh() -> str:
    """The beginning of a trace of which nobody has told."""
    return f"00-{secrets.token_hex(16)}-{secrets.token_hex(8)}-01"


def trace_of(traceparent: str) -> str:
    """The trace id in a traceparent, as logs show it."""
    return traceparent[3:35]


def start(service: str, process: str) -> None:
    """Begin to export spans of this process; must run after any fork."""
    global _tracer  # noqa: PLW0603 - one tracer per process, decided at start
    endpoint = text("OTLP_ENDPOINT")
    if not endpoint:
        return
    from opentelemetry import trace
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    provider = TracerProvider(resource=Resource.create({"service.name": service, "tongban.process": process}))
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(endpoint=f"{endpoint}/v1/traces")))
    trace.set_tracer_provider(provider)
    _tracer = trace.get_tracer("tongban")


@contextlib.contextmanager
def span(name: str, traceparent: str = "") -> Iterator[str]:
    """A span under the given parent; yields the traceparent to hand on: when nothing is recorded the given one, or a fresh one.

    What is raised inside marks the span as failed. The span is not made OpenTelemetry's "current" one: the traceparent in
    chassis.context is, which also serves generators and threads.
    """
    if _tracer is None:
        yield traceparent or fresh()
        return
    from opentelemetry import trace
    from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

    propagator = TraceContextTextMapPropagator()
    parent = propagator.extract({"traceparent": traceparent}) if traceparent else None
    recorded = _tracer.start_span(name, context=parent)
    carrier: dict[str, str] = {}
    propagator.inject(carrier, context=trace.set_span_in_context(recorded))
    try:
        yield carrier.get("traceparent", traceparent)
    except Exception as problem:
        recorded.record_exception(problem)
        recorded.set_status(trace.StatusCode.ERROR)
        raise
    finally:
        recorded.end()
