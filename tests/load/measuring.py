"""What a figure is: measured in rounds, ours and its base in turn, told as the median with the range."""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

TICKS = os.sysconf("SC_CLK_TCK")
CUT_OFF = 1.5  # seconds
BUSY = 0.25  # part of the machine that other work may take before a run is refused


@dataclass(frozen=True)
class Figure:
    """One line of the table. `mark`: what is asked for, at least or at most; None when it is told for itself."""

    name: str
    what: str  # ours, against what, in which unit
    rounds: list[float]
    ours: list[float] = field(default_factory=list)
    base: list[float] = field(default_factory=list)
    unit: str = "×"
    mark: float | None = None
    least: bool = True

    @property
    def median(self) -> float:
        return statistics.median(self.rounds)

    @property
    def holds(self) -> bool | None:
        """Whether the median reaches the mark; None without one."""
        if self.mark is None:
            return None
        return self.median >= self.mark if self.least else self.median <= self.mark

    def told(self) -> dict[str, Any]:
        """The figure as it is kept."""
        return {**asdict(self), "median": self.median, "holds": self.holds}


@dataclass(frozen=True)
class Line:
    """How one figure grows with the number of records; drawn in the plot of that name."""

    plot: str
    name: str
    unit: str
    records: list[int]
    values: list[float]

    def told(self) -> dict[str, Any]:
        """The line as it is kept."""
        series = {"records": self.records, "values": self.values}
        return {"plot": self.plot, "name": self.name, "unit": self.unit, "series": series}


def ratio(
    name: str, what: str, ours: Callable[[], float], base: Callable[[], float], *, rounds: int, mark: float | None = None
) -> Figure:  # fmt: skip
    """`ours` divided by `base`, both called once in each round, the one that begins changing from round to round."""
    here: list[float] = []
    there: list[float] = []
    for number in range(rounds):
        pair = [(ours, here), (base, there)]
        for measure, into in pair if number % 2 else reversed(pair):
            # What was under way when the last load was cut off still takes the servers' places, and is none of the next one's.
            time.sleep(CUT_OFF)
            into.append(measure())
    return Figure(name, what, [a / b for a, b in zip(here, there, strict=True)], here, there, mark=mark)


def alone(name: str, what: str, values: list[float], unit: str, mark: float | None = None) -> Figure:
    """A figure that is compared with nothing but its mark, which it must not exceed."""
    return Figure(name, what, values, unit=unit, mark=mark, least=False)


def per_second(work: Callable[[], int]) -> float:
    """How many of what `work` counts were done in a second."""
    started = time.perf_counter()
    done = work()
    return done / (time.perf_counter() - started)


def percentile(values: Iterable[float], part: float) -> float:
    """The value that `part` of the values do not exceed; 0.99 → p99."""
    rising = sorted(values)
    return rising[min(len(rising) - 1, int(part * len(rising)))]


class Servers:
    """The processes that serve, with their children, as they are at each question."""

    def __init__(self, *pids: int) -> None:
        self._pids = pids

    def with_(self, *others: Servers) -> Servers:
        """These and the others together."""
        return Servers(*self._pids, *(pid for other in others for pid in other._pids))

    def cpu(self) -> float:
        """Seconds of processor time that they have used so far."""
        return sum(_used(pid) for pid in family(*self._pids))

    def memory(self) -> float:
        """Resident megabytes, shared pages counted once each as their part."""
        return sum(_resident(pid) for pid in family(*self._pids))

    def per_cpu_second(self, work: Callable[[], int]) -> float:
        """How many of what `work` counts a second of these processes' time did."""
        before = self.cpu()
        done = work()
        return done / max(self.cpu() - before, 1 / TICKS)


def family(*pids: int) -> set[int]:
    """These processes and whatever descends from them, as it is now."""
    known = set(pids)
    found = {int(one.name): _stat(int(one.name)) for one in Path("/proc").iterdir() if one.name.isdigit()}
    parents = {pid: int(fields[1]) for pid, fields in found.items() if fields}
    while more := {pid for pid, parent in parents.items() if parent in known} - known:
        known |= more
    return known


def status(pid: int) -> dict[str, str]:
    """What the kernel says of a process by name, see proc(5). Raises FileNotFoundError when it is gone."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return {name: value.strip() for name, _, value in (line.partition(":") for line in lines)}


def _stat(pid: int) -> list[str]:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return []


def _used(pid: int) -> float:
    fields = _stat(pid)
    # With it the time of children that have ended, so that a worker replaced meanwhile is not lost.
    return sum(map(int, fields[11:15])) / TICKS if fields else 0.0


def _resident(pid: int) -> float:
    try:
        rows = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0.0
    return sum(int(row.split()[1]) for row in rows if row.startswith("Pss:")) / 1024


def busy(seconds: float = 1.0) -> float:
    """The part of all processors that is used just now."""
    first = _machine()
    time.sleep(seconds)
    idle, every = (b - a for a, b in zip(first, _machine(), strict=True))
    return 1 - idle / max(every, 1)


def _machine() -> tuple[int, int]:
    fields = [int(one) for one in Path("/proc/stat").read_text().splitlines()[0].split()[1:9]]
    return fields[3] + fields[4], sum(fields)
