"""Model ↔ MongoDB: obligations and tasks as aggregates, to-do lists as small records of their own."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from google.protobuf.message import Message

from chassis.parts import Parts
from chassis.plain import RememberedRecords
from chassis.repository import Repository
from chassis.store import Store
from services.tasks.model import Obligation, Task, TodoList

ToWire = Callable[[Any, Any], Message]


PARTS = 16  # records of one holder
REMEMBERED = 5_000  # records, of those who look most often


class TodoLists:
    """The lists. They are derived from the obligations; what keeps them right is the ledger.

    A list lies in several records, each item by its obligation's id in one of them: an office may owe thousands of things, and each
    of them that comes or goes writes a record anew. Keys can be told beforehand, so a list is read by them.
    """

    def __init__(self, store: Store) -> None:
        self._records = RememberedRecords(store, "todo", TodoList, lambda key: TodoList(id=key), REMEMBERED)

    def get_many(self, tokens: Iterable[str]) -> list[TodoList]:
        """The lists of those tokens, also empty ones."""
        lists = {token: TodoList(id=token) for token in tokens}
        of = {f"{token}#{part}": one for token, one in lists.items() for part in range(PARTS)}
        for key, part in self._records.get_many(of).items():
            of[key].items += part.items
        return list(lists.values())

    def follow(self, token: str, obligation: Obligation) -> str:
        """Make the holder's list say what the obligation says; returns what changed, see TodoList.follow."""

        def step(part: TodoList) -> str:
            here = TodoList(id=token, items=part.items)
            changed = here.follow(obligation)
            part.items = here.items
            return changed

        changed: str = self._records.change(part_of(token, obligation.id), step)
        return changed


def part_of(token: str, obligation: str) -> str:
    """The key of the record in which an obligation stands in this holder's list."""
    return f"{token}#{zlib.crc32(obligation.encode()) % PARTS}"


@dataclass(frozen=True)
class Records:
    """Everything that this service keeps."""

    obligations: Repository[Obligation]
    tasks: Repository[Task]
    lists: TodoLists

    def by_name(self) -> dict[str, Repository[Any]]:
        """The repositories that the relay works on."""
        return {one.name: one for one in (self.obligations, self.tasks)}


def records(parts: Parts, obligation_event: ToWire, task_event: ToWire) -> Records:
    """The records of this process; the two functions turn domain events into messages."""
    return Records(
        obligations=parts.repository(
            Obligation,
            "obligations",
            to_wire=obligation_event,
            what="事项",
            owners=lambda one: {one.holder},
        ),
        tasks=parts.repository(
            Task,
            "tasks",
            to_wire=task_event,
            what="任务",
            owners=lambda task: {f"u:{task.creator_unit}"},
        ),
        lists=TodoLists(parts.store),
    )
