"""Logs: one JSON object per line on standard output, with request id and person.

Values never break a line: JSON escapes control characters. Tokens, cookies and passwords are cut out by name.
"""

from __future__ import annotations

import logging
import sys
from typing import Any

import structlog

from chassis import context

_SECRET = ("token", "password", "secret", "cookie", "authorization", "credential")


def _with_call(_logger: Any, _method: str, event: dict[str, Any]) -> dict[str, Any]:
    call = context.current()
    if call.method:
        event.setdefault("request_id", call.request_id)
        event.setdefault("method", call.method)
        if call.principal:
            event.setdefault("person", call.principal.person or call.principal.service)
    return event


def _without_secrets(_logger: Any, _method: str, event: dict[str, Any]) -> dict[str, Any]:
    for key in event:
        if any(part in key.lower() for part in _SECRET):
            event[key] = "[removed]"
    return event


def configure(service: str, process: str) -> None:
    """Send everything, also what libraries log, through one JSON renderer."""
    structlog.contextvars.clear_contextvars()
    structlog.contextvars.bind_contextvars(service=service, process=process)
    shared = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _with_call,
        _without_secrets,
        structlog.processors.format_exc_info,
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )

    # Threads do not inherit context variables, so the names of service and process are bound here as well.
    def named(_logger: Any, _method: str, event: dict[str, Any]) -> dict[str, Any]:
        event.setdefault("service", service)
        event.setdefault("process", process)
        return event

    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                named,
                structlog.processors.JSONRenderer(ensure_ascii=False),
            ],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.INFO)
    for noisy in ("httpx", "pymongo", "nats", "tantivy"):
        logging.getLogger(noisy).setLevel(logging.WARNING)


def get(name: str) -> Any:
    """A logger: get(__name__).info("event", key=value)."""
    return structlog.get_logger(name)
