"""The chain: what a line is, how one line holds the one before it, and what is wrong with lines that were touched.

A line is canonical JSON (keys sorted, no spaces): when it was kept, its number, its position in the stream, the sum of the line
before it, the record, and at its end its own sum, the SHA-256 of all that stands before.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections import OrderedDict
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

GENESIS = "0" * 64  # what stands for the sum of the line before the first
DAYS = 184  # for so long every record is kept, at least
MOST_FINDINGS = 50
_SUM = re.compile(rb',"sum":"([0-9a-f]{64})"\}')
_TAIL = 74  # characters of the sum, with its name and the closing brace
_BODY = re.compile(
    rb'\{"kept":"([0-9T:.+Z-]{20,40})","number":(\d{1,15}),"position":(\d{1,15}),"previous":"([0-9a-f]{64})","record":\{'
)


class Unreadable(ValueError):
    """Not a line of the chain."""


@dataclass(frozen=True)
class Line:
    """One line as it was read. `right`: its sum is that of its content."""

    number: int
    position: int
    kept: str
    previous: str
    sum: str
    right: bool


@dataclass(frozen=True)
class Checkpoint:
    """A signed statement: at this time the line of this number had this sum."""

    number: int
    sum: str
    at: str
    signature: str = ""

    def body(self) -> bytes:
        """What is signed."""
        return canonical({"at": self.at, "kind": "checkpoint", "number": self.number, "sum": self.sum})


@dataclass(frozen=True)
class Anchor:
    """A signed statement: what was kept before this number was removed as too old; the rest begins after this sum."""

    number: int
    previous: str
    before: str
    at: str
    signature: str = ""

    def body(self) -> bytes:
        """What is signed."""
        said = {"at": self.at, "before": self.before, "number": self.number, "previous": self.previous}
        return canonical({**said, "kind": "anchor"})


@dataclass(frozen=True)
class Finding:
    """Something that is not as it was written.

    kind: altered, missing, inserted, reordered, replaced, unreadable, truncated, checkpoint (another content than was signed),
    signature (nobody with the key signed this).
    """

    kind: str
    number: int
    place: str


def canonical(value: Any) -> bytes:
    """JSON of which there is only one form."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def written(
    number: int, position: int, previous: str, kept: str, record: dict[str, Any]
) -> tuple[bytes, str]:
    """A new line, without its end of line, and its sum."""
    told = {"kept": kept, "number": number, "position": position, "previous": previous, "record": record}
    body = canonical(told)[:-1]
    digest = hashlib.sha256(body).hexdigest()
    return body + b',"sum":"' + digest.encode() + b'"}', digest


def read(raw: bytes) -> Line:
    """The line that these bytes are, without a look into its record.

    Raises Unreadable.
    """
    body, tail = raw[:-_TAIL], raw[-_TAIL:]
    head, end = _BODY.match(body), _SUM.fullmatch(tail)
    if head is None or end is None or body[-1:] != b"}":
        raise Unreadable(raw[:80])
    digest = end[1].decode()
    return Line(
        int(head[2]), int(head[3]), head[1].decode(), head[4].decode(), digest,
        hashlib.sha256(body).hexdigest() == digest,
    )  # fmt: skip


def record_of(raw: bytes) -> dict[str, Any]:
    """The record in a line."""
    return dict(json.loads(raw)["record"])


@dataclass
class Walk:
    """A walk along the chain that names every place where it is not what was written.

    number, previous: of the line that comes first, and the sum before it; checkpoints: by number, signatures already checked.
    """

    number: int = 1
    previous: str = GENESIS
    checkpoints: dict[int, Checkpoint] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)
    lines: int = 0
    _missing: dict[int, str] = field(default_factory=dict)
    _sums: OrderedDict[int, str] = field(default_factory=OrderedDict)

    def __post_init__(self) -> None:
        self._expected = self.number
        self._sums[self.number - 1] = self.previous

    def take(self, raw: bytes, place: str) -> None:
        """The next line, and where it stands."""
        self.lines += 1
        try:
            line = read(raw)
        except Unreadable:
            # It stands for the line that should be here, so the others keep their places.
            self._tell("unreadable", self._expected, place)
            self._expected += 1
            return
        number = line.number
        if number > self._expected:
            for one in range(self._expected, min(number, self._expected + MOST_FINDINGS)):
                self._missing[one] = place
        elif number < self._expected:
            kind = "reordered" if self._missing.pop(number, "") else "inserted"
            self._tell(kind, number, place)
        if not line.right:
            self._tell("altered", number, place)
        elif number >= self._expected and self._sums.get(number - 1, line.previous) != line.previous:
            self._tell("replaced", number - 1, place)
        signed = self.checkpoints.get(number)
        if signed is not None and signed.sum != line.sum:
            self._tell("checkpoint", number, place)
        if number >= self._expected:
            self._expected = number + 1
            self._sums[number] = line.sum
            while len(self._sums) > 8:
                self._sums.popitem(last=False)

    def end(self, place: str) -> list[Finding]:
        """All findings, in the order of their numbers, once the last line was taken."""
        for number, where in self._missing.items():
            self._tell("missing", number, where)
        last = max(self.checkpoints, default=0)
        if last >= self._expected:
            self._tell("truncated", self._expected, place)
        self.findings.sort(key=lambda one: (one.number, one.kind))
        return self.findings

    @property
    def head(self) -> tuple[int, str]:
        """Number and sum of the last line in order."""
        return self._expected - 1, self._sums.get(self._expected - 1, "")

    def _tell(self, kind: str, number: int, place: str) -> None:
        if len(self.findings) < MOST_FINDINGS:
            self.findings.append(Finding(kind, number, place))


def may_go(before: datetime, now: datetime) -> bool:
    """Whether records from before this day may be removed."""
    return before <= now - timedelta(days=DAYS)
