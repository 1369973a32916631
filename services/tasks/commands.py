"""What a user can do with tasks (交办): give, report, complete, return, settle, cancel. Lists and urging: queries.py."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from functools import partial

from chassis import clock
from chassis.aggregate import Request
from chassis.directory import Directory
from chassis.errors import forbidden, invalid, not_found
from chassis.identity_types import Principal
from chassis.repository import Repository
from services.tasks.model import Assignment, Task

Tasks = Repository[Task]


def create_task(
    tasks: Tasks, directory: Directory, principal: Principal, request: Request, *, title: str, text: str,
    assignees: list[str], urgency: str, unit: str, due_at: datetime | None,
) -> Task:  # fmt: skip
    """Give a task to people or units.

    Raises InvalidInput; Forbidden when the caller has no post in `unit`.
    """
    if unit and unit not in principal.units:
        raise forbidden("您不在该单位任职，不能以其名义交办。")
    task = Task.create(
        request.new_id(), title=title, text=text, creator=principal.person, creator_unit=unit or principal.unit,
        urgency=urgency, due_at=due_at, assignees=holders(directory, assignees), now=clock.now(),
    )  # fmt: skip
    return tasks.add(task, request)


def read_task(tasks: Tasks, principal: Principal, key: str) -> Task:
    """A task that the caller gave or has a part in.

    Raises NotFound.
    """
    return access_task(tasks.get(key), principal)


def report_progress(
    tasks: Tasks, principal: Principal, request: Request, *, key: str, number: int, text: str
) -> Task:
    """Tell how it is going."""

    def step(task: Task, part: Assignment) -> None:
        task.report(part, principal.person, text, clock.now())

    return _on_part(tasks, principal, request, key, number, step)


def complete_task(
    tasks: Tasks, principal: Principal, request: Request, *, key: str, number: int, result: str
) -> Task:
    """Close one's part as done."""

    def step(task: Task, part: Assignment) -> None:
        task.complete(part, principal.person, result, clock.now())

    return _on_part(tasks, principal, request, key, number, step)


def return_task(
    tasks: Tasks, principal: Principal, request: Request, *, key: str, number: int, reason: str
) -> Task:
    """Give one's part back with the reason."""

    def step(task: Task, part: Assignment) -> None:
        kind, _, rest = part.holder.partition(":")
        unit = rest.partition(":")[0] if kind == "u" else principal.unit
        task.give_back(part, principal.person, unit, reason, clock.now())

    return _on_part(tasks, principal, request, key, number, step)


def settle_return(
    tasks: Tasks,
    directory: Directory,
    principal: Principal,
    request: Request,
    *,
    key: str,
    number: int,
    assignees: list[str],
) -> Task:
    """Answer a return: give the part to others, or let it rest."""

    def step(task: Task) -> None:
        task.settle(number, holders(directory, assignees), principal.person, clock.now())

    return tasks.change(key, request, step, partial(access_manage, principal=principal))


def cancel_task(tasks: Tasks, principal: Principal, request: Request, *, key: str, reason: str) -> Task:
    """Withdraw what is still open."""

    def step(task: Task) -> None:
        task.cancel(principal.person, reason, clock.now())

    return tasks.change(key, request, step, partial(access_manage, principal=principal))


def access_task(task: Task, principal: Principal) -> Task:
    """The task, if the caller gave it, has or had a part in it, or answers for the unit that gave it.

    Raises NotFound.
    """
    own = any(part.holder in principal.tokens for part in task.assignments)
    if own or may_manage(task, principal) or principal.has_post(task.creator_unit, "leader"):
        return task
    raise not_found("任务")


def access_manage(task: Task, principal: Principal) -> None:
    """Only who gave the task, or the head of the unit that gave it, may settle returns and cancel.

    Raises NotFound or Forbidden.
    """
    access_task(task, principal)
    if not may_manage(task, principal):
        raise forbidden("只有交办人可以这样操作。")


def may_manage(task: Task, principal: Principal) -> bool:
    """Whether the caller gave the task or heads the unit that did."""
    return task.creator == principal.person or principal.has_post(task.creator_unit, "head")


def holders(directory: Directory, assignees: list[str]) -> list[str]:
    """Assignees as holders of obligations: a person stays, a unit becomes its registrars.

    Raises InvalidInput for whom the directory does not know.
    """
    found: list[str] = []
    for token in assignees:
        holder = directory.answering(token)
        if holder is None:
            raise invalid(assignees="所选的承办人或单位不存在，或已停用，请重新选择。")
        if not holder:
            raise invalid(assignees=f"{directory.unit_name(token[2:])}还没有设置文书，请直接选择承办人。")
        found.append(holder)
    return found


def _on_part(
    tasks: Tasks,
    principal: Principal,
    request: Request,
    key: str,
    number: int,
    step: Callable[[Task, Assignment], None],
) -> Task:
    def on_own(task: Task) -> None:
        step(task, task.part(number, principal.tokens))

    return tasks.change(key, request, on_own, partial(access_task, principal=principal))
