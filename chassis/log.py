"""Logs: one JSON object per line on standard output, with request id and person.

Values never break a line nor command a terminal. Tokens, cookies and passwords are cut out by name. What merely informs is written
some milliseconds later, many lines at once, for a write for each call costs more than the line; a process that is killed loses
those milliseconds. Warnings and errors are written at once, with all that came before them.
"""

from __future__ import annotations

import atexit
import contextlib
import logging
import re
import sys
import threading
import time
from collections.abc import MutableMapping
from functools import lru_cache
from typing import Any

import structlog

from chassis import context

_json = structlog.processors.JSONRenderer(ensure_ascii=False)
_UNSAFE = re.compile("[\x7f-\x9f\u2028\u2029\ud800-\udfff]")
_process: dict[str, str] = {}
HELD = 0.05  # seconds for which a line that merely informs may wait
_held: list[str] = []
_some_held = threading.Event()
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
        if _is_secret(str(key)):
            event[key] = "[removed]"
        elif isinstance(value, dict):
            event[key] = _without_secrets(_logger, _method, dict(value))
    return event


@lru_cache(2000)
def _is_secret(name: str) -> bool:
    return any(part in name.lower() for part in _SECRET)


def _render(logger: Any, method: str, event: MutableMapping[str, Any]) -> str:
    """One line of JSON. What JSON leaves as it is but a terminal or a reader takes for a command or a line's end is escaped."""
    line = str(_json(logger, method, event))
    return _UNSAFE.sub(lambda match: f"\\u{ord(match[0]):04x}", line)


def _named(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    for key, value in _process.items():
        event.setdefault(key, value)
    return event


class _Output(logging.StreamHandler[Any]):
    """Where all lines go, those of libraries as well, in the order in which they were written."""

    def emit(self, record: logging.LogRecord) -> None:
        flush()
        super().emit(record)


_output = _Output(sys.stdout)


def flush() -> None:
    """Write what is held; when nobody can take it any more, a full disk say, what is being done goes on without."""
    with _output.lock or contextlib.nullcontext(), contextlib.suppress(OSError, ValueError):
        count = len(_held)
        lines, _held[:count] = _held[:count], []
        if lines:
            _output.stream.write("".join(lines))
            _output.flush()


def _flush_for_ever() -> None:
    while True:
        _some_held.wait()
        time.sleep(HELD)
        _some_held.clear()
        flush()


class _Lines:
    """Takes what was rendered, one whole line at a time."""

    def hold(self, line: str) -> None:
        """A line that merely informs."""
        _held.append(line + "\n")
        if not _some_held.is_set():
            _some_held.set()

    def write(self, line: str) -> None:
        """A line that must not be lost."""
        _held.append(line + "\n")
        flush()

    debug = info = hold
    warning = error = critical = exception = fatal = msg = write


def configure(service: str, process: str) -> None:
    """Send everything, also what libraries log, through one JSON renderer."""
    shared: list[Any] = [
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _with_call,
        _without_secrets,
        structlog.processors.format_exc_info,
    ]
    _process.update(service=service, process=process)
    flush()
    _output.setStream(sys.stdout)
    # A fork does not take the thread along.
    if not any(one.name == "log" for one in threading.enumerate()):
        threading.Thread(target=_flush_for_ever, name="log", daemon=True).start()
        atexit.register(flush)
    _output.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                _named,
                _render,
            ],
        )
    )
    # Our own lines take the short way to the same stream: by the standard library's records each costs twice as much.
    structlog.configure(
        processors=[*shared, _named, _render],
        logger_factory=lambda *_: _Lines(),
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        cache_logger_on_first_use=True,
    )
    root = logging.getLogger()
    root.handlers[:] = [_output]
    root.setLevel(logging.INFO)
    for noisy in ("httpx", "pymongo", "nats", "tantivy"):
        logging.getLogger(noisy).setLevel(logging.WARNING)


def get(name: str) -> Any:
    """The logger of a module. It is called as in `log.get(__name__).info("event", key=value)`."""
    return structlog.get_logger(name)
