"""proto ↔ command, and the table of who may call what."""

from __future__ import annotations

from typing import Any

import grpc
from tongban.tasks.v1 import tasks_pb2 as pb
from tongban.tasks.v1 import tasks_pb2_grpc

from chassis import bounds
from chassis.context import caller
from chassis.directory import Directory
from chassis.door import Who, callers
from chassis.idempotency import request_of
from chassis.identity_types import Principal
from chassis.registry import Registry
from chassis.times import moment, stamp
from services.tasks import commands, queries, statistics
from services.tasks.model import Assignment, Count, Obligation, Summary, Task
from services.tasks.repository import Records

WHO: Who = {
    "ListTodo": callers("person"),
    "GetTodoCount": callers("person"),
    "ListDone": callers("person"),
    "ListSent": callers("person"),
    "ListUnitObligations": callers("head", "leader"),
    "GetStatistics": callers("head", "leader"),
    "GetObligation": callers("person"),
    "Urge": callers("person"),
    "CreateTask": callers("person"),
    "GetTask": callers("person"),
    "ReportProgress": callers("person"),
    "CompleteTask": callers("person"),
    "ReturnTask": callers("person"),
    "SettleReturn": callers("person"),
    "CancelTask": callers("person"),
}
# Refused while nobody could keep their record: nothing here gives or takes a right.
SECURITY: frozenset[str] = frozenset()
PAGE, LARGEST = 100, 500
ROWS, MOST_ROWS = 20, 200  # of what the index lists


class TaskService(tasks_pb2_grpc.TaskServiceServicer):
    """tongban.tasks.v1.TaskService."""

    def __init__(self, records: Records, registry: Registry, directory: Directory) -> None:
        self._obligations = records.obligations
        self._lists = records.lists
        self._tasks = records.tasks
        self._registry = registry
        self._directory = directory

    def ListTodo(self, request: pb.ListTodoRequest, _: grpc.ServicerContext) -> pb.ListTodoResponse:
        size = bounds.page_size(request.page_size, PAGE, LARGEST)
        items, following, count = queries.list_todo(
            self._lists, caller(), request.kind, size, request.page_token
        )
        rows = [_obligation(item) for item in items]
        return pb.ListTodoResponse(obligations=rows, next_page_token=following, count=_count(count))

    def GetTodoCount(
        self, _request: pb.GetTodoCountRequest, _: grpc.ServicerContext
    ) -> pb.GetTodoCountResponse:
        _, _, count = queries.list_todo(self._lists, caller(), "", 1, "")
        return pb.GetTodoCountResponse(count=_count(count))

    def ListDone(self, request: pb.ListDoneRequest, _: grpc.ServicerContext) -> pb.ListObligationsResponse:
        wanted = queries.Wanted(
            words=request.words,
            kind=request.kind,
            size=bounds.page_size(request.page_size, ROWS, MOST_ROWS),
            after=request.page_token,
        )
        since, until = moment(request.since), moment(request.until)
        return _listing(queries.list_done(self._registry, caller(), wanted, since, until))

    def ListSent(self, request: pb.ListSentRequest, _: grpc.ServicerContext) -> pb.ListObligationsResponse:
        return _listing(queries.list_sent(self._registry, caller(), _wanted(request), request.unit))

    def ListUnitObligations(
        self, request: pb.ListUnitObligationsRequest, _: grpc.ServicerContext
    ) -> pb.ListObligationsResponse:
        listing = queries.list_unit(self._registry, self._directory, caller(), _wanted(request), request.unit)
        return _listing(listing)

    def GetStatistics(
        self, request: pb.GetStatisticsRequest, _: grpc.ServicerContext
    ) -> pb.GetStatisticsResponse:
        since, until = moment(request.since), moment(request.until)
        whole, parts, kinds = statistics.statistics(
            self._registry, self._directory, caller(), request.unit, since, until
        )
        return pb.GetStatisticsResponse(whole=_figures(whole), parts=map(_figures, parts), open_kinds=kinds)

    def GetObligation(self, request: pb.GetObligationRequest, _: grpc.ServicerContext) -> pb.ObligationDetail:
        return _detail(
            queries.read_obligation(self._obligations, self._directory, caller(), request.obligation)
        )

    def Urge(self, request: pb.UrgeRequest, _: grpc.ServicerContext) -> pb.ObligationDetail:
        urged = queries.urge(
            self._obligations, self._directory, caller(), request_of(request),
            key=request.obligation, message=request.message,
        )  # fmt: skip
        self._registry.saw(urged)
        return _detail(urged)

    def CreateTask(self, request: pb.CreateTaskRequest, _: grpc.ServicerContext) -> pb.Task:
        return _task(
            commands.create_task(
                self._tasks, self._directory, caller(), request_of(request), title=request.title, text=request.text,
                assignees=list(request.assignees), urgency=request.urgency, unit=request.unit,
                due_at=moment(request.due_at),
            )
        )  # fmt: skip

    def GetTask(self, request: pb.GetTaskRequest, _: grpc.ServicerContext) -> pb.Task:
        return _task(commands.read_task(self._tasks, caller(), request.task))

    def ReportProgress(self, request: pb.ReportProgressRequest, _: grpc.ServicerContext) -> pb.Task:
        return _task(
            commands.report_progress(
                self._tasks,
                caller(),
                request_of(request),
                key=request.task,
                number=request.assignment,
                text=request.text,
            )
        )

    def CompleteTask(self, request: pb.CompleteTaskRequest, _: grpc.ServicerContext) -> pb.Task:
        return _task(
            commands.complete_task(
                self._tasks,
                caller(),
                request_of(request),
                key=request.task,
                number=request.assignment,
                result=request.result,
            )
        )

    def ReturnTask(self, request: pb.ReturnTaskRequest, _: grpc.ServicerContext) -> pb.Task:
        return _task(
            commands.return_task(
                self._tasks,
                caller(),
                request_of(request),
                key=request.task,
                number=request.assignment,
                reason=request.reason,
            )
        )

    def SettleReturn(self, request: pb.SettleReturnRequest, _: grpc.ServicerContext) -> pb.Task:
        return _task(
            commands.settle_return(
                self._tasks, self._directory, caller(), request_of(request), key=request.task,
                number=request.assignment, assignees=list(request.assignees),
            )
        )  # fmt: skip

    def CancelTask(self, request: pb.CancelTaskRequest, _: grpc.ServicerContext) -> pb.Task:
        return _task(
            commands.cancel_task(
                self._tasks, caller(), request_of(request), key=request.task, reason=request.reason
            )
        )


def _wanted(request: Any) -> queries.Wanted:
    return queries.Wanted(
        words=request.words, kind=request.kind, state=request.state or "open", overdue=request.overdue,
        size=bounds.page_size(request.page_size, ROWS, MOST_ROWS), after=request.page_token,
    )  # fmt: skip


def _obligation(row: Summary) -> pb.Obligation:
    return pb.Obligation(
        obligation=row.obligation, kind=row.kind, action=row.action, title=row.title, link=row.link, holder=row.holder,
        sender=row.sender, sender_unit=row.sender_unit, urgency=row.urgency, level=row.level,
        opened_at=stamp(row.opened_at), due_at=stamp(row.due_at), matter=row.matter, on_behalf_of=row.on_behalf_of,
        urged=row.urged, urged_at=stamp(row.urged_at), urge_message=row.urge_message, state=row.state,
        outcome=row.outcome, closed_by=row.closed_by, closed_at=stamp(row.closed_at),
    )  # fmt: skip


def _count(count: Count) -> pb.TodoCount:
    return pb.TodoCount(total=count.total, overdue=count.overdue, urgent=count.urgent, kinds=count.kinds)


def _listing(listing: queries.Listing) -> pb.ListObligationsResponse:
    rows = [_obligation(row) for row in listing.rows]
    return pb.ListObligationsResponse(
        obligations=rows, next_page_token=listing.next, total=listing.total, kinds=listing.kinds
    )


def _figures(one: statistics.Figures) -> pb.UnitStatistics:
    return pb.UnitStatistics(
        unit=one.unit, open=one.open, overdue=one.overdue, closed=one.closed, closed_late=one.closed_late
    )


def _detail(obligation: Obligation) -> pb.ObligationDetail:
    may_urge = obligation.state == "open" and queries.may_urge(obligation, caller())
    return pb.ObligationDetail(
        obligation=_obligation(obligation.summary()),
        holdings=[pb.Holding(holder=one.holder, by=one.by, at=stamp(one.at)) for one in obligation.holdings],
        urgings=[pb.Urging(by=one.by, message=one.message, at=stamp(one.at)) for one in obligation.urgings],
        may_urge=may_urge,
    )


def _task(task: Task) -> pb.Task:
    principal = caller()
    return pb.Task(
        task=task.id, title=task.title, text=task.text, creator=task.creator, creator_unit=task.creator_unit,
        urgency=task.urgency, created_at=stamp(task.created_at), due_at=stamp(task.due_at), state=task.state,
        reason=task.reason, assignments=[_assignment(task, one, principal) for one in task.assignments],
        etag=str(task.revision), may_manage=commands.may_manage(task, principal),
    )  # fmt: skip


def _assignment(task: Task, part: Assignment, principal: Principal) -> pb.Assignment:
    return pb.Assignment(
        number=part.number, holder=part.holder, state=part.state, opened_at=stamp(part.opened_at),
        closed_at=stamp(part.closed_at), closed_by=part.closed_by, note=part.note,
        progress=[pb.Progress(by=one.by, text=one.text, at=stamp(one.at)) for one in part.progress],
        obligation=task.obligation(part), mine=part.state == "open" and part.holder in principal.tokens,
    )  # fmt: skip
