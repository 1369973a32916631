"""Whether the brokers write what they acknowledge to the disk at once. One that does not may lose acknowledged events for minutes."""

from __future__ import annotations

import httpx

from chassis import log

_log = log.get(__name__)


def lax(monitors: str) -> list[str]:
    """Those of the brokers' monitoring addresses (with commas between) whose broker says that it does not. Who says nothing passes."""
    return [address for address in filter(None, monitors.split(",")) if _says(address) is False]


def _says(address: str) -> bool | None:
    try:
        told = httpx.get(f"{address}/varz", timeout=3).json()
        return bool(told["jetstream"]["config"].get("sync_always"))
    except (httpx.HTTPError, ValueError, KeyError, TypeError, AttributeError) as problem:
        _log.warning("broker does not say how it writes", address=address, problem=type(problem).__name__)
        return None
