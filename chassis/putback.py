"""One organisation's records put back from a backup into the running platform; nobody else's are touched.

`python -m <service> put-back --from URI --units fgw,czj [--over] [--write]`, once for each service, against a database that holds the
backup's records. What is missing is put back with the outbox it had, so that other services are told what they may not know yet;
what is there and differs stays as it is unless --over. Without --write it only says what it would do.
"""

from __future__ import annotations

import argparse
import re
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

from chassis.aggregate import Aggregate
from chassis.directory import Directory
from chassis.errors import TongbanError
from chassis.files import Files
from chassis.repository import Repository
from chassis.store import Record, Store

SECONDS = 30  # that the directory may take
_DIGEST = re.compile(r"[0-9a-f]{64}")
WORDS = {
    "same": "as in the backup",
    "missing": "missing",
    "differs": "different now, left as they are",
    "replaced": "different now, replaced",
    "refused": "cannot be put back",
}


def run(
    parts: Any, repositories: dict[str, Repository[Any]], mend: Callable[[Any], None], arguments: list[str]
) -> int:
    """The verb; status 1 when something was refused.

    `mend(aggregate)` puts right what follows from an aggregate of these units, whether it was put back or has been there.
    """
    parser = argparse.ArgumentParser(prog="put-back")
    parser.add_argument("--from", dest="source", required=True)
    parser.add_argument("--units", required=True)
    parser.add_argument("--over", action="store_true")
    parser.add_argument("--write", action="store_true")
    given = parser.parse_args(arguments)
    parts.directory.ready.wait(SECONDS)  # without it asking for a unit says so
    wanted = set(given.units.split(","))
    unknown = sorted(unit for unit in wanted if parts.directory.unit(unit) is None)
    if unknown:
        print(f"There is no unit {', '.join(unknown)}.")  # noqa: T201
        return 1
    source = Store(replace(parts.settings, mongo_uri=given.source))
    try:
        work = PuttingBack(source, parts.files, parts.directory, wanted, over=given.over, write=given.write)
        for repository in repositories.values():
            work.kind(repository, mend)
    finally:
        source.close()
    for (kind, outcome), number in sorted(work.done.items()):
        print(f"{parts.settings.service}: {kind}: {number} {WORDS[outcome]}")  # noqa: T201 - a command's answer
    for refusal in work.refusals:
        print(f"{parts.settings.service}: {refusal}")  # noqa: T201
    return 1 if work.refusals else 0


class PuttingBack:
    """One service's part of it. done: (collection, outcome) → how many."""

    def __init__(
        self, source: Store, files: Files, directory: Directory, units: set[str], *, over: bool, write: bool
    ) -> None:
        self._source, self._files, self._directory = source, files, directory
        self._units, self._over, self._write = units, over, write
        self._old_files = Files(source)
        self.done: Counter[tuple[str, str]] = Counter()
        self.refusals: list[str] = []

    def kind(self, repository: Repository[Any], mend: Callable[[Any], None]) -> None:
        """Put back what the units own of one kind."""
        for record in self._source.collection(repository.name).scan():
            aggregate = repository.load(record)
            if not self._owned(repository.owners(aggregate)):
                continue
            try:
                outcome = self._one(repository, record)
            except TongbanError as problem:
                outcome = self._refused(repository, aggregate, problem)
            self.done[repository.name, outcome] += 1
        if self._write:
            self._mend(repository, mend)

    def _mend(self, repository: Repository[Any], mend: Callable[[Any], None]) -> None:
        """What follows from a record, as a list does, may be lost although the record is not, or is younger than the backup."""
        for record in repository.collection.scan():
            aggregate = repository.load(record)
            if not self._owned(repository.owners(aggregate)):
                continue
            try:
                mend(aggregate)
            except TongbanError as problem:
                self.done[repository.name, self._refused(repository, aggregate, problem)] += 1

    def _refused(self, repository: Repository[Any], aggregate: Aggregate, problem: TongbanError) -> str:
        self.refusals.append(f"{repository.name}/{aggregate.id}: {problem.en}")
        return "refused"

    def _one(self, repository: Repository[Any], record: Record) -> str:
        outcome = repository.compare(record)
        kept = outcome == "same" or (outcome == "differs" and not self._over)
        if self._write and not kept:
            # Files first: a record never points to what is not there.
            for digest in digests(record):
                self._files.copy(digest, self._old_files)
            repository.put_back(record)
        return "replaced" if outcome == "differs" and not kept else outcome

    def _owned(self, owners: set[str]) -> bool:
        """Whether one of these audience tokens is of a unit that is wanted, or of one below it."""
        return any(
            above.unit in self._units
            for owner in owners
            for unit in self._units_of(owner)
            for above in self._directory.upward(unit)
        )

    def _units_of(self, owner: str) -> list[str]:
        kind, _, rest = owner.partition(":")
        if kind == "u":
            return [rest.partition(":")[0]]
        person = self._directory.person(rest) if kind == "p" else None
        return [post.partition(":")[0] for post in person.posts] if person else []


def digests(value: Any) -> Iterator[str]:
    """Every text in a record that may be a file's key."""
    if isinstance(value, dict):
        for part in value.values():
            yield from digests(part)
    elif isinstance(value, list):
        for part in value:
            yield from digests(part)
    elif isinstance(value, str) and _DIGEST.fullmatch(value):
        yield value
