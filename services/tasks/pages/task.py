"""A free task: giving it, its page, what its holders and its creator do."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, g, render_template, request, url_for
from flask.typing import ResponseReturnValue
from tongban.tasks.v1 import tasks_pb2 as pb

from chassis.errors import TongbanError
from chassis.times import stamp
from chassis.web import form_errors, form_request_id, form_time, go
from services.tasks.pages.common import tasks

views = Blueprint("task", __name__)


@views.get("/new")
def new() -> ResponseReturnValue:
    """An empty form; `title` and `text` may be given by a link from elsewhere."""
    return render_template("new.html", title=request.args.get("title", ""), text=request.args.get("text", ""))


@views.post("/new")
def create() -> ResponseReturnValue:
    """Give a task."""
    try:
        wanted = pb.CreateTaskRequest(
            title=request.form.get("title", ""), text=request.form.get("text", ""), assignees=_assignees(),
            urgency=request.form.get("urgency", ""), unit=request.form.get("unit", ""), request_id=form_request_id(),
            due_at=stamp(form_time("due_at")),
        )  # fmt: skip
        made = tasks.CreateTask(wanted)
    except TongbanError as problem:
        if not form_errors(problem):
            raise
        return render_template("new.html", title="", text=""), 422
    return go(url_for(".show", task=made.task), f"已交办给{len(made.assignments)}个承办人。")


@views.get("/task/<task>")
def show(task: str) -> ResponseReturnValue:
    """One task: its parts, and what the reader may do now."""
    return _page(tasks.GetTask(pb.GetTaskRequest(task=task)))


@views.post("/task/<task>/<act>")
def act(task: str, act: str) -> ResponseReturnValue:
    """One step of a task."""
    given, number = request.form, request.form.get("assignment", 0, int)
    common: dict[str, Any] = {"task": task, "request_id": form_request_id()}
    steps = {
        "report": lambda: tasks.ReportProgress(
            pb.ReportProgressRequest(**common, assignment=number, text=given.get("text", ""))
        ),
        "complete": lambda: tasks.CompleteTask(
            pb.CompleteTaskRequest(**common, assignment=number, result=given.get("result", ""))
        ),
        "return": lambda: tasks.ReturnTask(
            pb.ReturnTaskRequest(**common, assignment=number, reason=given.get("reason", ""))
        ),
        "settle": lambda: tasks.SettleReturn(
            pb.SettleReturnRequest(**common, assignment=number, assignees=_assignees())
        ),
        "cancel": lambda: tasks.CancelTask(pb.CancelTaskRequest(**common, reason=given.get("reason", ""))),
    }
    said = {
        "report": "进展已报告。", "complete": "已办结。", "return": "已退回交办人。", "settle": "退回已处理。", "cancel": "任务已撤销。",
    }  # fmt: skip
    if act not in steps:
        return "", 404
    try:
        steps[act]()
    except TongbanError as problem:
        if not form_errors(problem):
            raise
        return _page(tasks.GetTask(pb.GetTaskRequest(task=task))), 422
    return go(url_for(".show", task=task), said[act])


def _assignees() -> list[str]:
    people, units = request.form.getlist("people"), request.form.getlist("units")
    return [f"p:{person}" for person in people if person] + [f"u:{unit}" for unit in units if unit]


def _page(found: pb.Task) -> str:
    mine = next((part for part in found.assignments if part.mine), None)
    finished = sum(part.state in ("done", "settled", "withdrawn") for part in found.assignments)
    return render_template("task.html", task=found, mine=mine, finished=finished, person=g.principal.person)
