"""`make trace ID=…`: what every process said about one request, in order of time.

ID is a trace id, a request id (the number on an error page, or X-Request-ID), or both ends of the same thing: what the lines
of the one name of the other is followed.
"""

import argparse
import json
import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from deploy.local.cache import ROOT
from deploy.local.say import Refusal, guarded, line

# What the head of a printed line says already, or what says nothing to people.
_HEAD = {"time", "timestamp", "at", "event", "service", "process", "level", "trace", "request_id", "logger"}
_LEAST = 8


@dataclass(frozen=True)
class Said:
    """One line of a log. Of a request at the edge the time is that of its beginning; its log line comes at the end."""

    time: datetime
    log: str
    facts: dict[str, Any]

    def words(self) -> str:
        """The line for people: what happened, then the facts."""
        what = self.facts.get("event") or self.facts.get("method") or ""
        return f"{what} " + " ".join(
            f"{key}={value}" for key, value in self.facts.items() if key not in _HEAD
        )


def find(var: Path, wanted: str) -> list[Said]:
    """All lines about a trace or a request, in order of time."""
    found = list(_lines(var, {wanted}))
    # A page's request id leads to its trace, and the trace to what other requests' events did in it.
    traces = {str(one.facts.get("trace") or "") for one in found} - {"", wanted}
    if traces:
        found = list(_lines(var, {wanted, *traces}))
    return sorted(found, key=lambda one: one.time)


def logs(var: Path) -> list[Path]:
    """The logs of a deployment, older generations first."""
    return sorted([*var.glob("logs/*.log.1"), *var.glob("logs/*.log"), *var.glob("edge/access.log*")])


def _lines(var: Path, wanted: set[str]) -> Iterator[Said]:
    for path in logs(var):
        name = "edge" if path.parent.name == "edge" else path.name.partition(".log")[0]
        with path.open(errors="replace") as text:
            for row in text:
                # Looked at as text first: few of a million lines need to be understood.
                if any(one in row for one in wanted) and (said := _said(name, row, wanted)):
                    yield said


def _said(name: str, row: str, wanted: set[str]) -> Said | None:
    try:
        facts = json.loads(row)
        if not {facts.get("trace"), facts.get("request_id")} & wanted:
            return None
        if "at" in facts:
            return Said(datetime.fromtimestamp(facts["at"] - facts["seconds"], UTC), name, facts)
        return Said(datetime.fromisoformat(facts["timestamp"]), name, facts)
    except (ValueError, KeyError, TypeError, AttributeError):
        # A library's own line, or one that a killed process did not finish.
        return None


def main() -> int:
    """Print the lines; status 1 when there are none."""
    parser = argparse.ArgumentParser(
        prog="deploy.observability.trace", description=(__doc__ or "").splitlines()[0]
    )
    parser.add_argument("id", help="a trace id or a request id")
    parser.add_argument("--var", type=Path, default=os.environ.get("TONGBAN_VAR") or ROOT / "var" / "run")
    given = parser.parse_args()
    if len(given.id) < _LEAST or not given.id.replace("-", "").replace("_", "").isalnum():
        raise Refusal(
            "Give the number on the error page, the answer's X-Request-ID, or a trace id: make trace ID=…"
        )
    if not logs(given.var):
        raise Refusal(
            f"There are no logs in {given.var}; name the deployment's folder: make trace ID=… TONGBAN_VAR=…"
        )
    found = find(given.var, given.id)
    if not found:
        line(
            f"No line in {given.var}/logs and edge/access.log speaks of {given.id}; older generations are gone."
        )
        return 1
    width = max(len(one.log) for one in found)
    for one in found:
        after = (one.time - found[0].time).total_seconds() * 1000
        line(f"{one.time:%H:%M:%S.%f}  {after:+9.1f} ms  {one.log:<{width}}  {one.words()}")
    return 0


if __name__ == "__main__":
    sys.stdout.reconfigure(errors="backslashreplace")  # type: ignore[union-attr] # standard output is a text stream
    guarded(main)
