"""Model ↔ MongoDB: obligations and tasks as aggregates, to-do lists as small records of their own."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import cattrs
from google.protobuf.message import Message

from chassis.errors import Conflict, Exists
from chassis.process import Parts
from chassis.repository import Repository
from chassis.store import Store
from services.tasks.model import Obligation, Task, TodoList

ATTEMPTS = 60
SCHEMA = 1
ToWire = Callable[[Any, Any], Message]

_converter = cattrs.Converter()
_converter.register_structure_hook(datetime, lambda value, _: value)
_converter.register_unstructure_hook(datetime, lambda value: value)


class TodoLists:
    """The lists, one record per holder.

    They are derived from the obligations and tell no events, so they need neither an intent nor an outbox; what keeps them right
    is `services.tasks.ledger`.
    """

    def __init__(self, store: Store) -> None:
        self._records = store.collection("todo")

    def get_many(self, tokens: Iterable[str]) -> list[TodoList]:
        """The lists of those tokens that have one."""
        return [_converter.structure(record, TodoList) for record in self._records.get_many(tokens).values()]

    def follow(self, token: str, obligation: Obligation) -> str:
        """Make the holder's list say what the obligation says; returns what changed, see TodoList.follow.

        Raises Conflict when others were always faster.
        """
        for _ in range(ATTEMPTS):
            record = self._records.get(token)
            found = _converter.structure(record, TodoList) if record else TodoList(id=token)
            changed = found.follow(obligation)
            if not changed:
                return ""
            changes = _converter.unstructure(found) | {"_id": token, "schema": SCHEMA}
            try:
                if record:
                    self._records.save(changes, [])
                else:
                    self._records.insert(changes | {"revision": 1})
            except (Conflict, Exists):
                continue
            return changed
        raise Conflict("TOO_BUSY", "同时操作的人过多，请稍后再试。", "Too many concurrent changes.")


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
        obligations=parts.repository(Obligation, "obligations", to_wire=obligation_event, what="事项"),
        tasks=parts.repository(Task, "tasks", to_wire=task_event, what="任务"),
        lists=TodoLists(parts.store),
    )

