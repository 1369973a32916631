"""A free task (交办): one gives it, several have their part of it; every part is an obligation of its holder.

A part is open → done, returned or withdrawn; a returned one is an obligation of the creator until settled. The task is done
when no part is open or waits to be settled.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from chassis.aggregate import Aggregate
from chassis.errors import invalid, wrong_state

TITLE, TEXT, NOTE, PARTS, REPORTS = 200, 20_000, 2_000, 200, 100
URGENCIES = ("", "加急", "特急")


@dataclass(frozen=True)
class Opened:
    """News: somebody owes something from now on."""

    obligation: str
    holder: str
    kind: str
    action: str
    sender: str
    sender_unit: str
    at: datetime
    due_at: datetime | None


@dataclass(frozen=True)
class Closed:
    """News: an obligation is over."""

    obligation: str
    outcome: str
    by: str
    at: datetime


@dataclass(frozen=True)
class Progress:
    """A report on the way."""

    by: str
    text: str
    at: datetime


@dataclass
class Assignment:
    """One holder's part. state: open, done, returned, settled (returned and answered), withdrawn."""

    number: int
    holder: str
    opened_at: datetime
    state: str = "open"
    note: str = ""
    closed_by: str = ""
    closed_at: datetime | None = None
    progress: list[Progress] = field(default_factory=list)


@dataclass(kw_only=True)
class Task(Aggregate):
    """See the module. state: open, done, cancelled."""

    title: str
    text: str
    creator: str
    creator_unit: str
    urgency: str
    created_at: datetime
    due_at: datetime | None
    state: str = "open"
    reason: str = ""
    assignments: list[Assignment] = field(default_factory=list)

    @staticmethod
    def create(
        key: str, *, title: str, text: str, creator: str, creator_unit: str, urgency: str, due_at: datetime | None,
        assignees: list[str], now: datetime,
    ) -> Task:  # fmt: skip
        """A new task with a part for each assignee.

        Raises InvalidInput.
        """
        wrong: dict[str, str] = {}
        if not 1 <= len(title.strip()) <= TITLE:
            wrong["title"] = f"请填写标题，不超过{TITLE}字。"
        if len(text) > TEXT:
            wrong["text"] = f"内容不能超过{TEXT}字。"
        if not 1 <= len(assignees) <= PARTS:
            wrong["assignees"] = f"请选择承办人，不超过{PARTS}个。"
        if urgency not in URGENCIES:
            wrong["urgency"] = "紧急程度只能是加急、特急或不填。"
        if due_at is not None and due_at <= now:
            wrong["due_at"] = "办理期限应晚于现在。"
        if wrong:
            raise invalid(**wrong)
        task = Task(
            id=key, title=title.strip(), text=text.strip(), creator=creator, creator_unit=creator_unit,
            urgency=urgency, created_at=now, due_at=due_at,
        )  # fmt: skip
        task._give(assignees, now)
        return task

    def part(self, number: int, tokens: frozenset[str]) -> Assignment:
        """The open part with this number, or the first open one of these tokens when it is 0.

        Raises WrongState when there is none that these tokens answer for.
        """
        for one in self.assignments:
            if one.state == "open" and one.holder in tokens and number in (0, one.number):
                return one
        raise wrong_state("该事项已不在您的待办中。", "NOT_YOURS_NOW", "You hold no open part of this task.")

    def report(self, part: Assignment, by: str, text: str, now: datetime) -> None:
        """Add a report to an open part."""
        _written("text", text, "请填写进展情况")
        if len(part.progress) >= REPORTS:
            raise wrong_state(f"进展已达{REPORTS}条，请办结或退回。", "TOO_MANY_REPORTS", "Too many reports.")
        part.progress.append(Progress(by, text.strip(), now))

    def complete(self, part: Assignment, by: str, result: str, now: datetime) -> None:
        """Close a part as done."""
        if len(result) > NOTE:
            raise invalid(result=f"办理结果不能超过{NOTE}字。")
        self._end(part, "done", by, result, now)

    def give_back(self, part: Assignment, by: str, unit: str, reason: str, now: datetime) -> None:
        """Return a part to the creator, who then owes an answer; `unit` is the one of who returns it."""
        _written("reason", reason, "请填写退回原因")
        self._end(part, "returned", by, reason, now)
        self.tell(
            Opened(self._answer(part), f"p:{self.creator}", "tasks.settle", "处理退回", by, unit, now, None)
        )

    def settle(self, number: int, assignees: list[str], by: str, now: datetime) -> None:
        """Answer a return: give the part to others, or let it rest."""
        part = next(
            (one for one in self.assignments if one.number == number and one.state == "returned"), None
        )
        if part is None:
            raise wrong_state("没有待处理的退回。", "NOTHING_RETURNED", "There is no return to settle.")
        if len(self.assignments) + len(assignees) > PARTS:
            raise invalid(assignees=f"承办人不能超过{PARTS}个。")
        part.state = "settled"
        self.tell(Closed(self._answer(part), "done", by, now))
        self._give(assignees, now)
        self._conclude()

    def cancel(self, by: str, reason: str, now: datetime) -> None:
        """Withdraw what is still open."""
        if self.state != "open":
            raise wrong_state("该任务已经办结或撤销。", "TASK_OVER", "The task is over already.")
        _written("reason", reason, "请填写撤销原因")
        for part in self.assignments:
            if part.state == "open":
                self._end(part, "withdrawn", by, "", now)
            elif part.state == "returned":
                part.state = "settled"
                self.tell(Closed(self._answer(part), "withdrawn", by, now))
        self.state, self.reason = "cancelled", reason.strip()

    def obligation(self, part: Assignment) -> str:
        """The id of the obligation that a part is."""
        return f"tasks|{self.id}|{part.number}"

    def _answer(self, part: Assignment) -> str:
        return f"{self.obligation(part)}|answer"

    def _give(self, assignees: list[str], now: datetime) -> None:
        for holder in dict.fromkeys(assignees):
            part = Assignment(number=len(self.assignments) + 1, holder=holder, opened_at=now)
            self.assignments.append(part)
            sender = (self.creator, self.creator_unit)
            self.tell(Opened(self.obligation(part), holder, "tasks.task", "办理", *sender, now, self.due_at))

    def _end(self, part: Assignment, state: str, by: str, note: str, now: datetime) -> None:
        part.state, part.closed_by, part.note, part.closed_at = state, by, note.strip(), now
        self.tell(Closed(self.obligation(part), state, by, now))
        self._conclude()

    def _conclude(self) -> None:
        if self.state == "open" and not any(one.state in ("open", "returned") for one in self.assignments):
            self.state = "done"


def _written(name: str, text: str, sentence: str) -> None:
    if not 1 <= len(text.strip()) <= NOTE:
        raise invalid(**{name: f"{sentence}，不超过{NOTE}字。"})
