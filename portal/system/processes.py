"""Asks every process how it is: at its /metrics, so that the answer is of this moment and needs neither broker nor database.

Which processes there are stands in the list at TONGBAN_TARGETS, the same that Prometheus reads. How often one was started again
is known only to who starts it: the local supervisor's report, where there is one.
"""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
from prometheus_client.parser import text_string_to_metric_families

from chassis import log
from chassis.settings import text
from portal.system.engines import get
from portal.system.facts import Process

WANTED = (
    "tongban_ready", "tongban_outbox_waiting", "tongban_outbox_oldest_seconds", "tongban_index_ready", "tongban_index_entries",
    "tongban_index_age_seconds", "process_start_time_seconds", "process_resident_memory_bytes", "process_open_fds",
)  # fmt: skip
AT_ONCE = 16
_log = log.get(__name__)


def targets() -> list[dict[str, Any]]:
    """The list of processes in Prometheus' form; empty when there is none."""
    path = text("TARGETS")
    found = _read(Path(path)) if path else None
    return found if isinstance(found, list) else []


def report(var: Path) -> dict[str, dict[str, Any]]:
    """What the supervisor says; empty when nobody of that kind is at work."""
    found = _read(var / "processes.json")
    return found if isinstance(found, dict) else {}


def ask_all(var: Path) -> tuple[Process, ...]:
    """Every process, in the order of the list."""
    told = report(var)
    wanted = [
        (one["labels"], address)
        for one in targets()
        # Engines speak for themselves elsewhere.
        if one["labels"]["process"] != "engine"
        for address in one["targets"]
    ]
    with ThreadPoolExecutor(AT_ONCE) as pool:
        figures = list(pool.map(lambda one: ask(one[1]), wanted))
    return tuple(_process(labels, found, told) for (labels, _), found in zip(wanted, figures, strict=True))


def ask(address: str) -> dict[str, float] | None:
    """The figures of one process; None when it does not answer."""
    try:
        answer = get(f"http://{address}/metrics", params={"name[]": WANTED})
        families = text_string_to_metric_families(answer.text)
        return {one.name: one.value for family in families for one in family.samples}
    except (httpx.HTTPError, ValueError) as problem:
        _log.warning("process silent", address=address, problem=str(problem) or type(problem).__name__)
        return None


def _process(
    labels: dict[str, str], figures: dict[str, float] | None, told: dict[str, dict[str, Any]]
) -> Process:
    unit, process = labels["unit"], labels["process"]
    said = told.get(f"{unit}-{process}", {})
    started = (figures or {}).get("process_start_time_seconds")
    since = datetime.fromtimestamp(started, UTC) if started else None
    if since is None and said:
        since = datetime.fromisoformat(said["since"])
    return Process(
        unit, labels.get("__title", unit), process, figures, said.get("state", ""), since,
        said.get("restarts", 0), _words(said.get("reason", "")),
    )  # fmt: skip


def _words(reason: str) -> str:
    """The reason of a restart; of a whole log line what happened and why, without its time and names."""
    status, _, said = reason.partition(": ")
    try:
        facts = json.loads(said)
        words = [str(facts[name]) for name in ("event", "problem", "exception") if facts.get(name)]
    except (ValueError, TypeError, AttributeError):
        return reason
    return f"{status}: {' '.join(words)}"


def _read(path: Path) -> Any:
    try:
        return json.loads(path.read_text())
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as problem:
        _log.warning("list unreadable", path=str(path), problem=str(problem))
        return None
