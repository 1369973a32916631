"""The search index of the chain: every record, for the auditor. Disposable; made anew from the segments."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from chassis.registry import micros
from chassis.search import Entry, Field, Index, Schema, Writer
from services.audit.model.chain import Unreadable, read, record_of
from services.audit.repository import Chain
from services.audit.words import action_zh, result_zh, service_zh

READER = "auditor"  # the one token that finds anything here
# In the order of the chain: the number stands for the date, for clocks may differ and the chain's order does not.
SCHEMA = Schema(
    (
        Field("text", "text"),
        Field("number", "date"),
        Field("at", "date"),
        Field("person", "keyword"),
        Field("unit", "keyword"),
        Field("service", "keyword"),
        Field("action", "keyword"),
        Field("result", "keyword"),  # "good", "refused", "failed", and the reason itself
        Field("object", "keyword"),
        Field("row", "stored"),
    ),
    version=2,
)
# What one may not see is answered as what is not there.
REFUSALS = frozenset({"UNAUTHENTICATED", "PERMISSION_DENIED", "NOT_FOUND"})
# Refused whatever the code; and all that older records, which have no code, tell of their refusal.
REFUSED = frozenset(
    {
        "NOT_SIGNED_IN", "NOT_YOUR_ROLE", "FORBIDDEN", "NOT_FOUND", "CSRF", "TOO_OFTEN", "LOGIN_REFUSED", "PEER_NOT_ADMITTED",
        "ROLES_MIXED", "APP_NOT_ALLOWED", "METHOD_REFUSED", "FOREIGN_REQUEST", "TARGET_REFUSED", "FILE_INFECTED",
    }
)  # fmt: skip
BATCH = 2000


def index(own_var: Path) -> Index:
    """The index of this process."""
    return Index(own_var / "index", SCHEMA)


def kind_of(record: Mapping[str, Any]) -> str:
    """Which of three kinds a record's result is."""
    if record["result"] == "OK":
        return "good"
    return "refused" if record.get("code") in REFUSALS or record["result"] in REFUSED else "failed"


def entry(number: int, record: dict[str, Any]) -> Entry:
    """A record as an entry. The text holds what people search by: words of the action, names, ids."""
    words = [
        record.get("name", ""), service_zh(record.get("service", "")), action_zh(record.get("service", ""), record["action"]),
        result_zh(record["result"], kind_of(record)), record.get("object", ""), record.get("address", ""), record.get("request_id", ""),
        *record.get("details", {}).values(),
    ]  # fmt: skip
    return Entry(
        str(number), 1, [READER], 0,
        {
            "text": " \n".join(word for word in words if word), "number": number,
            "at": micros(datetime.fromisoformat(record["at"])), "person": record.get("person", ""),
            "unit": record.get("unit", ""), "service": record.get("service", ""), "action": record["action"],
            "result": [kind_of(record), record["result"]], "object": record.get("object", ""), "row": record,
        },
    )  # fmt: skip


def entries(chain: Chain, after: int = 0) -> Iterator[Entry]:
    """Every record of the chain that can be read, behind this number."""
    for raw, _ in chain.lines(after + 1):
        try:
            number = read(raw).number
        except Unreadable:
            continue
        if number > after:
            yield entry(number, record_of(raw))


class Indexer:
    """The writer of the index, in `work`."""

    def __init__(self, own_var: Path, chain: Chain) -> None:
        self._index = index(own_var)
        self._chain = chain
        self._mark = own_var / "index-upto"
        self._writer: Writer | None = None

    def open(self) -> None:
        """Make the index anew when it must be, else take in what the last process did not."""
        fresh = self._index.ensure(lambda: entries(self._chain))
        self._writer = self._index.writer()
        if not fresh:
            upto = int(self._mark.read_text()) if self._mark.is_file() else 0
            self._put(entries(self._chain, upto))
        head = self._chain.head()
        self._note(head.number if head else 0)

    def put(self, kept: list[tuple[int, dict[str, Any]]]) -> None:
        """Take records in; readers can see them when this returns."""
        if kept:
            self._put(entry(number, record) for number, record in kept)
            self._note(kept[-1][0])

    def close(self) -> None:
        """Commit and give the index up."""
        if self._writer is not None:
            self._writer.close()

    def _put(self, some: Iterable[Entry]) -> None:
        assert self._writer is not None  # noqa: S101 - opened first
        batch: list[Entry] = []
        for one in some:
            batch.append(one)
            if len(batch) >= BATCH:
                self._writer.put(batch)
                batch = []
        self._writer.put(batch)
        self._writer.commit()

    def _note(self, number: int) -> None:
        # Behind rather than ahead: what is taken in twice is one entry.
        self._mark.write_text(str(number))
