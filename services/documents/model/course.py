"""What outgoing and incoming documents have in common: the course of events, and the work items somebody owes.

Each change of a work item is told as an event with the item's own growing `sequence`, from which tasks keeps the to-do lists.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from chassis.aggregate import Aggregate
from chassis.errors import invalid, wrong_state
from chassis.identity_types import Principal

ACTIONS = {
    "review": "审核", "sign_off": "签发", "revise": "修改", "dispatch": "核发", "sign_for": "签收", "register": "登记",
    "pass_on": "拟办分送", "handle": "办理", "read": "阅知", "answer": "答复", "deal_with_return": "处理退文",
}  # fmt: skip
OPINION_LENGTH = 2000


@dataclass(frozen=True)
class Actor:
    """Who acts: a person, on whose behalf ('' for oneself), from which unit."""

    person: str
    unit: str = ""
    on_behalf_of: str = ""

    @staticmethod
    def of(principal: Principal, unit: str = "") -> Actor:
        """The caller, acting in `unit` or in the primary one."""
        return Actor(principal.person, unit or principal.unit)


SYSTEM = Actor("")


@dataclass
class Entry:
    """One line of the course."""

    time: datetime
    person: str
    unit: str
    action: str
    opinion: str = ""
    outcome: str = ""
    on_behalf_of: str = ""


@dataclass
class WorkItem:
    """One step that somebody owes. holder: audience token; outcome: '' while open, then done, returned or withdrawn."""

    id: str
    kind: str
    holder: str
    opened_at: datetime
    sequence: int = 1
    lead: bool = False
    due_at: datetime | None = None
    sender: str = ""
    sender_unit: str = ""
    closed_at: datetime | None = None
    closed_by: str = ""
    outcome: str = ""
    opinion: str = ""

    @property
    def open(self) -> bool:
        """Whether it is still owed."""
        return not self.outcome

    @property
    def action(self) -> str:
        """What is to be done, in the words of the field."""
        return ACTIONS[self.kind]


@dataclass(frozen=True)
class Opened:
    """A work item was opened."""

    item: WorkItem


@dataclass(frozen=True)
class Reassigned:
    """A work item has another holder."""

    item: WorkItem
    sequence: int
    holder: str
    by: str
    at: datetime


@dataclass(frozen=True)
class Closed:
    """A work item is no longer owed."""

    item: str
    sequence: int
    outcome: str
    by: str
    at: datetime


@dataclass(frozen=True)
class Urged:
    """Somebody urged the holder of a work item."""

    item: str
    urging: str
    by: str
    message: str
    at: datetime


@dataclass(kw_only=True)
class Matter(Aggregate):
    """An aggregate with a course and work items."""

    items: list[WorkItem] = field(default_factory=list)
    course: list[Entry] = field(default_factory=list)

    def record(self, actor: Actor, action: str, at: datetime, opinion: str = "", outcome: str = "") -> None:
        """Add a line to the course."""
        self.course.append(Entry(at, actor.person, actor.unit, action, opinion, outcome, actor.on_behalf_of))

    def open_item(
        self,
        kind: str,
        holder: str,
        at: datetime,
        by: Actor,
        *,
        lead: bool = False,
        due_at: datetime | None = None,
    ) -> WorkItem:
        """Let `holder` owe a step."""
        item = WorkItem(
            str(len(self.items) + 1),
            kind,
            holder,
            at,
            lead=lead,
            due_at=due_at,
            sender=by.person,
            sender_unit=by.unit,
        )
        self.items.append(item)
        self.tell(Opened(item))
        return item

    def close_item(
        self, item: WorkItem, actor: Actor, at: datetime, outcome: str = "done", opinion: str = ""
    ) -> None:
        """End a step."""
        item.sequence += 1
        item.closed_at, item.closed_by, item.outcome, item.opinion = at, actor.person, outcome, opinion
        self.tell(Closed(item.id, item.sequence, outcome, actor.person, at))

    def reassign_item(self, item: WorkItem, holder: str, actor: Actor, at: datetime) -> None:
        """Let somebody else owe a step; it stays the same step, and its clock runs on."""
        item.sequence += 1
        item.holder = holder
        self.tell(Reassigned(item, item.sequence, holder, actor.person, at))

    def close_all(self, actor: Actor, at: datetime, *, but: WorkItem | None = None) -> None:
        """Withdraw every open step."""
        for item in self.open_items():
            if item is not but:
                self.close_item(item, actor, at, "withdrawn")

    def open_items(self, *kinds: str) -> list[WorkItem]:
        """The open steps, of these kinds or of all."""
        return [item for item in self.items if item.open and (not kinds or item.kind in kinds)]

    def own_item(self, principal: Principal, kinds: tuple[str, ...], wanted: str = "") -> WorkItem | None:
        """The caller's open step of these kinds: the wanted one, or the first, own ones before the unit's."""
        mine = [item for item in self.open_items(*kinds) if item.holder in principal.tokens]
        if wanted:
            mine = [item for item in mine if item.id == wanted]
        mine.sort(key=lambda item: not item.holder.startswith("p:"))
        return mine[0] if mine else None

    def need_item(self, principal: Principal, *kinds: str, wanted: str = "") -> WorkItem:
        """As own_item.

        Raises WrongState when the caller owes no such step (any more).
        """
        item = self.own_item(principal, kinds, wanted)
        if item is None:
            step = "、".join(ACTIONS[kind] for kind in kinds)
            raise wrong_state(
                f"当前没有需要您{step}的事项，可能已由他人办理。", "NO_OPEN_STEP", "You owe no such step."
            )
        return item


def opinion_of(text: str, *, required: str = "") -> str:
    """A cleaned opinion.

    required: the sentence shown when it is missing. Raises InvalidInput.
    """
    cleaned = text.strip()
    if required and not cleaned:
        raise invalid(opinion=required)
    if len(cleaned) > OPINION_LENGTH:
        raise invalid(opinion=f"意见不能超过 {OPINION_LENGTH} 字。")
    return cleaned
