"""The to-do list of one holder (an audience token), and how several of them become one person's list."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime

from services.tasks.model.obligation import Obligation, Summary

Item = Summary


@dataclass(kw_only=True)
class TodoList:
    """What one holder owes now; `id` is the holder's token.

    A list, not a dict, since an obligation's id may hold characters that MongoDB does not take in a field's name.
    """

    id: str
    items: list[Item] = field(default_factory=list)

    def follow(self, obligation: Obligation) -> str:
        """Make this list say what `obligation` says, unless it already says something newer.

        Returns what changed for the holder: "opened", "closed", "urged", "changed", or "" when nothing did.
        """
        there = next((item for item in self.items if item.obligation == obligation.id), None)
        owed = obligation.state == "open" and obligation.holder == self.id
        if there is not None and there.revision > obligation.revision:
            return ""
        if not owed:
            if there is None:
                return ""
            self.items = [item for item in self.items if item is not there]
            return "closed"
        now = obligation.summary()
        if there is None:
            self.items.append(now)
            return "opened"
        if there == now:
            return ""
        self.items[self.items.index(there)] = now
        return "urged" if now.urged > there.urged else "changed"


@dataclass(frozen=True)
class Count:
    """How much there is to do. urgent: 加急, 特急 or urged."""

    total: int
    overdue: int
    urgent: int
    kinds: dict[str, int]


def overdue(item: Item, now: datetime) -> bool:
    """Whether the time limit has passed while it is open."""
    return item.state == "open" and item.due_at is not None and item.due_at < now


def pressing(item: Item, now: datetime) -> int:
    """How much an item presses: being overdue weighs most, then 特急 and an urging, then 加急."""
    return (
        4 * overdue(item, now)
        + 2 * (item.urgency == "特急")
        + 2 * (item.urged > 0)
        + (item.urgency == "加急")
    )


def in_order(items: Iterable[Item], now: datetime) -> list[Item]:
    """Pressing ones first, then the newest, so that what arrives is seen; the id decides between equals."""
    return sorted(
        items, key=lambda item: (-pressing(item, now), -item.opened_at.timestamp(), item.obligation)
    )


def count(items: Iterable[Item], now: datetime) -> Count:
    """The figures over a list."""
    every = list(items)
    return Count(
        total=len(every),
        overdue=sum(overdue(item, now) for item in every),
        urgent=sum(bool(item.urgency) or item.urged > 0 for item in every),
        kinds=dict(Counter(item.kind for item in every)),
    )
