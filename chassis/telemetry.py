# ruff: noqa: PLC0415 -- imported only when it is asked for
"""OpenTelemetry, when TONGBAN_OTLP_ENDPOINT is set; otherwise nothing is recorded and nothing is imported."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

from chassis.settings import text

_tracer: Any = None


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
    """A span under the given parent; yields the traceparent to hand on (the given one when nothing is recorded).

    What is raised inside marks the span as failed. The span is not made OpenTelemetry's "current" one: the traceparent in
    chassis.context is, which also serves generators and threads.
    """
    if _tracer is None:
        yield traceparent
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
