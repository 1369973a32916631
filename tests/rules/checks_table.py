"""docs/checks.md: which of the 100 checks are shown, and by which tests. `python3 -m tests.rules.checks_table` rewrites it.

The column of tests is taken from the marks (`check 41`) in the tests themselves; names, states and remarks are written by people
and stay. A check without any test is "not yet", whatever anybody wrote.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from tests.rules import tree

TABLE = tree.ROOT / "docs" / "checks.md"
STATES = ("shown", "in part", "not yet")
# "# check 41", "checks 32 and 33", "# check 17, 39"; a number that something is counted with is none of these.
_MARK = re.compile(r"\bchecks? (\d{1,3}(?:(?:, | and |, # check |, check )\d{1,3})*)\b")
_ROW = re.compile(r"\| (\d+) \| (.+?) \| (.+?) \| (.*?) \| (.*?) \|$")


@dataclass(frozen=True)
class Row:
    """One line of the table."""

    number: int
    name: str
    state: str
    remark: str
    tests: tuple[str, ...]

    def __str__(self) -> str:
        tests = "<br>".join(f"`{path}`" for path in self.tests)
        return f"| {self.number} | {self.name} | {self.state} | {self.remark} | {tests} |"


def marks() -> dict[int, tuple[str, ...]]:
    """Check → the tests that carry its number."""
    found: dict[int, set[str]] = {}
    for path in tree.files(*tree.SOURCES):
        if not tree.is_test(path) or path.suffix not in (".py", ".js") or not path.stem.startswith("test_"):
            continue
        for mark in _MARK.findall(path.read_text()):
            for number in map(int, re.findall(r"\d+", mark)):
                found.setdefault(number, set()).add(tree.short(path))
    return {number: tuple(sorted(paths)) for number, paths in found.items()}


def rows(text: str) -> list[Row]:
    """The table's lines as they are written."""
    found = []
    for line in text.splitlines():
        if match := _ROW.fullmatch(line):
            number, name, state, remark, tests = match.groups()
            found.append(Row(int(number), name, state, remark, tuple(re.findall(r"`([^`]+)`", tests))))
    return found


def right(row: Row, known: dict[int, tuple[str, ...]]) -> Row:
    """The line as the tests make it."""
    tests = known.get(row.number, ())
    state = "not yet" if not tests else "in part" if row.state == "not yet" else row.state
    remark = row.remark or ("not judged yet; see the tests" if state == "in part" else "")
    return Row(row.number, row.name, state, remark, tests)


def summary(lines: list[Row]) -> str:
    """How many there are of each state."""
    return ", ".join(f"{sum(row.state == state for row in lines)} {state}" for state in STATES)


def rewrite(path: Path = TABLE) -> None:
    """Bring the table up to date with the tests."""
    known, out, kept = marks(), [], []
    for line in path.read_text().splitlines():
        found = [right(row, known) for row in rows(line)]
        kept += found
        out.append(str(found[0]) if found else line)
    text = re.sub(r"(?m)^\*\*Now:.*$", f"**Now: {summary(kept)}.**", "\n".join(out) + "\n")
    path.write_text(text)


if __name__ == "__main__":
    rewrite()
