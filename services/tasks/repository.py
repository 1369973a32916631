"""Model ↔ MongoDB: obligations and tasks as aggregates, to-do lists as small records of their own."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from google.protobuf.message import Message

from chassis.parts import Parts
from chassis.plain import PlainRecords
from chassis.repository import Repository
from chassis.store import Store
from services.tasks.model import Obligation, Task, TodoList

ToWire = Callable[[Any, Any], Message]


class TodoLists:
    """The lists, one record per holder. They are derived from the obligations; what keeps them right is the ledger."""

    def __init__(self, store: Store) -> None:
        self._records = PlainRecords(store, "todo", TodoList, lambda token: TodoList(id=token))

    def get_many(self, tokens: Iterable[str]) -> list[TodoList]:
        """The lists of those tokens that have one."""
        return list(self._records.get_many(tokens).values())

    def follow(self, token: str, obligation: Obligation) -> str:
        """Make the holder's list say what the obligation says; returns what changed, see TodoList.follow."""
        changed: str = self._records.change(token, lambda todo: todo.follow(obligation))
        return changed


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
