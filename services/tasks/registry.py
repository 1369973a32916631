"""The search index of this service: every obligation whose opening is known, with who may find it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import asdict
from datetime import datetime
from typing import Any

from chassis.directory import Directory
from chassis.parts import Parts
from chassis.registry import Registry, from_micros, micros
from chassis.search import Entry, Field, Schema
from services.tasks.model import Obligation, Summary

SCHEMA = Schema(
    (
        Field("title", "text", boost=3),
        Field("action", "text"),
        Field("opened_at", "date"),
        Field("due_at", "date"),
        Field("closed_at", "date"),
        Field("kind", "keyword"),  # the service, and the kind itself
        Field("state", "keyword"),
        Field("late", "keyword"),  # "yes" when it was closed after its time limit
        Field("sender", "keyword"),
        Field("sender_unit", "keyword"),
        Field("done_for", "keyword"),  # in whose list of done things it stands
        Field("units", "keyword"),  # the holder's unit and all units above it
        Field("row", "stored"),
    ),
    version=1,
)
WATCHING = ("head", "leader")  # who may see what their unit owes
SENDING = ("registrar", "head", "leader")  # who answers for what their unit sent
_DATES = ("opened_at", "due_at", "urged_at", "closed_at")
DIRECTORY_SECONDS = 10.0


def registry(parts: Parts) -> Registry:
    """The index of this process."""
    return Registry(parts.settings.own_var / "index", SCHEMA, {"obligations": entries(parts.directory)})


def entries(directory: Directory) -> Callable[[Obligation], Entry | None]:
    """How an obligation becomes an entry; the directory says to which units its holder belongs."""
    waited = threading.Event()

    def make(obligation: Obligation) -> Entry | None:
        if obligation.facts is None:
            return None
        if not waited.is_set():
            # An entry made before the directory was there would lack its units until its next change. One wait is enough: a
            # directory that is still away then shall not hold up the index for ever.
            directory.ready.wait(DIRECTORY_SECONDS)
            waited.set()
        row = obligation.summary()
        units = upward(directory, row.holder)
        return Entry(
            obligation.id, obligation.revision, readers(obligation, row, units), row.level,
            {
                "title": row.title, "action": row.action, "kind": [row.kind.partition(".")[0], row.kind],
                "opened_at": micros(row.opened_at), "due_at": micros(row.due_at), "closed_at": micros(row.closed_at),
                "state": row.state, "late": "yes" if late(row) else "", "sender": row.sender,
                "sender_unit": row.sender_unit, "done_for": done_for(row), "units": units, "row": to_row(row),
            },
        )  # fmt: skip

    return make


def readers(obligation: Obligation, row: Summary, units: list[str]) -> list[str]:
    """Who may find it: all who held it, who sent it and who answers for the sending unit, and whoever leads the holder's units."""
    tokens = set(obligation.holders)
    tokens |= {f"p:{person}" for person in (row.sender, row.closed_by, row.on_behalf_of) if person}
    if row.sender_unit:
        tokens |= {f"u:{row.sender_unit}:{role}" for role in SENDING}
    return sorted(tokens | {f"u:{unit}:{role}" for unit in units for role in WATCHING})


def upward(directory: Directory, holder: str) -> list[str]:
    """The unit of a holder and every unit above it; a person counts for the primary unit."""
    kind, _, rest = holder.partition(":")
    unit = rest.partition(":")[0]
    if kind == "p":
        person = directory.person(rest)
        unit = person.posts[0].partition(":")[0] if person and person.posts else ""
    return [one.unit for one in directory.upward(unit)]


def late(row: Summary) -> bool:
    """Whether it was closed after its time limit."""
    return row.closed_at is not None and row.due_at is not None and row.closed_at > row.due_at


def done_for(row: Summary) -> list[str]:
    """Tokens of the persons whose matter it was: who closed it, for whom, and who held it in person."""
    if row.state != "closed":
        return []
    held_by = {row.holder} if row.holder.startswith("p:") else set()
    return sorted(held_by | {f"p:{person}" for person in (row.closed_by, row.on_behalf_of) if person})


def to_row(row: Summary) -> dict[str, Any]:
    """A line as the index keeps it for display."""
    return asdict(row) | {name: micros(getattr(row, name)) for name in _DATES}


def from_row(row: dict[str, Any]) -> Summary:
    """The inverse of to_row."""
    dates: dict[str, datetime | None] = {name: from_micros(row[name]) for name in _DATES}
    return Summary(**{**row, **dates})
