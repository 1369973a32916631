"""The reading room: what `serve` answers out of the index, the segments and the notes that the writer leaves."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from chassis import log
from chassis.directory import Directory
from chassis.errors import not_found
from chassis.registry import asking
from chassis.search import Page, Query, Reader
from services.audit import commands
from services.audit.commands import Report
from services.audit.model.chain import Checkpoint, read, record_of
from services.audit.registry import READER, index
from services.audit.repository import Chain
from services.audit.signing import Signer

SILENT = 60.0  # seconds without a note of the writer after which the page says so
_EVERYTHING = Reader(frozenset({READER}), 9)
_log = log.get(__name__)


@dataclass(frozen=True)
class Wanted:
    """What is looked for; empty values do not narrow. since, until: microseconds."""

    words: str = ""
    person: str = ""
    unit: str = ""
    service: str = ""
    action: str = ""
    result: str = ""
    object: str = ""
    since: int | None = None
    until: int | None = None
    size: int = 50
    after: str = ""


@dataclass(frozen=True)
class Found:
    """One entry. kept, sum, previous: only where its line was read."""

    number: int
    record: dict[str, Any]
    kept: str = ""
    sum: str = ""
    previous: str = ""


@dataclass(frozen=True)
class Listing:
    """A page of entries."""

    entries: list[Found]
    total: int
    following: str


@dataclass(frozen=True)
class Standing:
    """How the chain stands. waiting: -1 while the broker does not say."""

    head: int
    sum: str
    kept: str
    first: int
    checkpoint: int
    checkpoint_at: str
    alive_at: str
    silent: bool
    lost: int
    waiting: int
    verifying: bool
    report: Report | None


class ReadingRoom:
    """Answers the auditor's questions. Safe for many threads.

    last_position: the number of messages that the stream was given, -1 while it does not answer; witnessed: the witness's checkpoints.
    """

    def __init__(
        self, own_var: Path, signer: Callable[[], Signer], directory: Directory, last_position: Callable[[], int],
        witnessed: Callable[[], list[Checkpoint]],
    ) -> None:  # fmt: skip
        self._own_var = own_var
        self._chain = Chain(own_var / "chain")
        self._index = index(own_var)
        self._signer = signer
        self.directory = directory
        self._last_position = last_position
        self._witnessed = witnessed
        self._verifying = threading.Lock()

    def search(self, wanted: Wanted) -> Listing:
        """Entries, newest first. Raises InvalidInput, Unavailable while the index is being built."""
        page = self._page(wanted)
        return Listing([Found(int(hit.id), hit.stored["row"]) for hit in page.hits], page.total, page.next)

    def all_entries(self, wanted: Wanted, most: int) -> Iterator[Found]:
        """The entries of all pages, so many at most."""
        after = ""
        while most > 0:
            page = self.search(replace(wanted, after=after, size=min(wanted.size, most)))
            yield from page.entries
            most -= len(page.entries)
            after = page.following
            if not after:
                return

    def entry(self, key: str) -> Found:
        """One entry as it stands in the chain. Raises NotFound."""
        raw = self._chain.line(int(key)) if key.isdecimal() and len(key) < 16 else None
        if raw is None:
            raise not_found("审计记录")
        line = read(raw)
        return Found(line.number, record_of(raw), line.kept, line.sum, line.previous)

    def standing(self) -> Standing:
        """How the chain stands now."""
        head, state = self._chain.head(), self._chain.state()
        last = max(self._chain.checkpoints(), key=lambda one: one.number, default=None)
        alive = str(state.get("at", ""))
        age = (datetime.now(UTC) - datetime.fromisoformat(alive)).total_seconds() if alive else SILENT + 1
        given = self._last_position()
        waiting = given - (head.position if head else 0) if given >= 0 else -1
        lost = sum(len(numbers) for numbers in state.get("lost", {}).values())
        return Standing(
            head.number if head else 0, head.sum if head else "", head.kept if head else "", self._chain.begin()[0],
            last.number if last else 0, last.at if last else "", alive, age > SILENT, lost, max(waiting, -1),
            self._verifying.locked(), commands.last_report(self._own_var),
        )  # fmt: skip

    def start_verification(self) -> None:
        """Begin to verify the whole chain in a thread of its own; one at a time."""
        if self._verifying.acquire(blocking=False):
            threading.Thread(target=self._verify, name="audit-verify", daemon=True).start()

    def _verify(self) -> None:
        try:
            report = commands.verify(self._chain, self._signer(), self._witnessed())
            commands.keep_report(self._own_var, report)
            _log.info("audit verified", lines=report.lines, findings=len(report.findings))
        except Exception:  # noqa: BLE001 - nobody waits for this thread; the page goes on showing the last report
            _log.exception("audit not verified")
        finally:
            self._verifying.release()

    def _page(self, wanted: Wanted) -> Page:
        must = {
            name: [value]
            for name in ("person", "unit", "service", "action", "result", "object")
            if (value := getattr(wanted, name))
        }
        ranges = {"at": (wanted.since, wanted.until)} if wanted.since or wanted.until else {}
        query = Query(wanted.words, must=must, ranges=ranges, after=wanted.after, size=wanted.size)
        with asking():
            return self._index.search(query, _EVERYTHING)
