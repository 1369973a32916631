"""Logs: one JSON object per line on standard output, with request id and person.

Values never break a line nor command a terminal. Tokens, cookies and passwords are cut out by name.
"""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import MutableMapping
from typing import Any

import structlog

from chassis import context

_json = structlog.processors.JSONRenderer(ensure_ascii=False)
_UNSAFE = re.compile("[\x7f-\x9f\u2028\u2029\ud800-\udfff]")
_SECRET = ("token", "password", "secret", "cookie", "authorization", "credential")


def _with_call(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    call = context.current()
    if call.method:
        event.setdefault("request_id", call.request_id)
        event.setdefault("method", call.method)
        if call.traceparent:
            event.setdefault("trace", call.traceparent[3:35])
        if call.principal:
            event.setdefault("person", call.principal.person or call.principal.service)
    return event


def _without_secrets(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    for key, value in event.items():
        if any(part in str(key).lower() for part in _SECRET):
            event[key] = "[removed]"
        elif isinstance(value, dict):
            event[key] = _without_secrets(_logger, _method, dict(value))
    return event


def _render(logger: Any, method: str, event: MutableMapping[str, Any]) -> str:
    """One line of JSON. What JSON leaves as it is but a terminal or a reader takes for a command or a line's end is escaped."""
    line = str(_json(logger, method, event))
    return _UNSAFE.sub(lambda match: f"\\u{ord(match[0]):04x}", line)


def configure(service: str, process: str) -> None:
    """Send everything, also what libraries log, through one JSON renderer."""
    shared: list[Any] = [
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

    def named(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
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
                _render,
            ],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.INFO)
    for noisy in ("httpx", "pymongo", "nats", "tantivy"):
        logging.getLogger(noisy).setLevel(logging.WARNING)


def get(name: str) -> Any:
    """The logger of a module. It is called as in `log.get(__name__).info("event", key=value)`."""
    return structlog.get_logger(name)
