"""Lists: to do, done, sent, what a unit owes; urging; figures."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, g, render_template, request, url_for
from flask.typing import ResponseReturnValue
from tongban.tasks.v1 import tasks_pb2 as pb

from chassis.errors import TongbanError, forbidden
from chassis.web import form_errors, form_request_id, go, htmx, paged, toast
from services.tasks.pages.common import OUTCOMES, PARTS, TASKS, by_service, services, tasks, units_as

views = Blueprint("lists", __name__)
SENDING, WATCHING = ("registrar", "head", "leader"), ("head", "leader")


@views.app_context_processor
def words() -> dict[str, Any]:
    """The words for states, known to every template."""
    watched = units_as(*WATCHING) if g.get("principal") else []
    return {
        "services": services(),
        "outcomes": OUTCOMES,
        "part_states": PARTS,
        "task_states": TASKS,
        "watched": watched,
    }


@views.get("/")
def todo() -> ResponseReturnValue:
    """待办."""
    kind, cursor = request.args.get("kind", ""), request.args.get("cursor", "")
    found = tasks.ListTodo(pb.ListTodoRequest(kind=kind, page_size=50, page_token=cursor))
    counts = by_service(found.count.kinds)
    return render_template(
        "todo.html", found=found, kind=kind, counts=counts, page=paged(found.next_page_token)
    )


@views.get("/fragment/todo")
def todo_fragment() -> ResponseReturnValue:
    """The first few of the list, for the portal's home page."""
    limit = min(max(request.args.get("limit", 8, int), 1), 50)
    found = tasks.ListTodo(pb.ListTodoRequest(page_size=limit, kind=request.args.get("kind", "")))
    return render_template("todo_fragment.html", found=found)


@views.get("/fragment/count")
def count_fragment() -> ResponseReturnValue:
    """How many there are, as a bare number."""
    return str(tasks.GetTodoCount(pb.GetTodoCountRequest()).count.total)


@views.get("/done")
def done() -> ResponseReturnValue:
    """已办."""
    found = tasks.ListDone(pb.ListDoneRequest(**_asked()))
    return render_template("done.html", found=found, page=paged(found.next_page_token, found.total))


@views.get("/sent")
def sent() -> ResponseReturnValue:
    """What the reader waits for, or a unit for which the reader answers."""
    found = tasks.ListSent(pb.ListSentRequest(**_asked(), **_narrowed()))
    page = paged(found.next_page_token, found.total)
    return render_template("sent.html", found=found, page=page, units=units_as(*SENDING))


@views.get("/unit")
def unit_list() -> ResponseReturnValue:
    """What a unit owes."""
    narrowed = {**_narrowed(), "unit": _watched_unit()}
    found = tasks.ListUnitObligations(pb.ListUnitObligationsRequest(**_asked(), **narrowed))
    page = paged(found.next_page_token, found.total)
    return render_template("unit.html", found=found, page=page, unit=narrowed["unit"])


@views.get("/statistics")
def statistics() -> ResponseReturnValue:
    """A unit's figures."""
    unit = _watched_unit()
    found = tasks.GetStatistics(pb.GetStatisticsRequest(unit=unit))
    return render_template("statistics.html", found=found, unit=unit, kinds=by_service(found.open_kinds))


@views.get("/obligation")
def obligation() -> ResponseReturnValue:
    """One obligation's course: who held it, who urged."""
    found = tasks.GetObligation(pb.GetObligationRequest(obligation=request.args.get("id", "")))
    return render_template("obligation.html", found=found, course=_course(found))


@views.post("/urge")
def urge() -> ResponseReturnValue:
    """Urge the holder; from a list (one click) or with a message."""
    key = request.form.get("obligation", "")
    asked = pb.UrgeRequest(
        obligation=key, message=request.form.get("message", ""), request_id=form_request_id()
    )
    try:
        tasks.Urge(asked)
    except TongbanError as problem:
        if htmx() or not form_errors(problem):
            raise
        found = tasks.GetObligation(pb.GetObligationRequest(obligation=key))
        return render_template("obligation.html", found=found, course=_course(found)), 422
    if htmx():
        return toast("", "已催办，对方会立即收到提醒。")
    return go(url_for(".obligation", id=key), "已催办，对方会立即收到提醒。")


def _asked() -> dict[str, Any]:
    return {
        "words": request.args.get("q", ""), "kind": request.args.get("kind", ""), "page_size": 20,
        "page_token": request.args.get("cursor", ""),
    }  # fmt: skip


def _narrowed() -> dict[str, Any]:
    state = request.args.get("state", "")
    return {
        "unit": request.args.get("unit", ""),
        "state": "" if state == "overdue" else state,
        "overdue": state == "overdue",
    }


def _watched_unit() -> str:
    unit = request.args.get("unit", "") or next(iter(units_as(*WATCHING)), "")
    if not unit:
        raise forbidden("只有部门负责人和领导可以查看单位统计。")
    return unit


def _course(found: pb.ObligationDetail) -> list[dict[str, Any]]:
    """Holdings, urgings and the end as lines of a timeline, newest first."""
    about = found.obligation
    lines = [
        {
            "person": one.by, "action": "交办" if number == 0 else "转办", "time": one.at, "holder": one.holder,
            "opinion": "",
        }
        for number, one in enumerate(found.holdings)
    ]  # fmt: skip
    lines += [
        {"person": one.by, "action": "催办", "time": one.at, "opinion": one.message} for one in found.urgings
    ]
    if about.state == "closed":
        action = OUTCOMES.get(about.outcome, "已办结")
        lines.append({"person": about.closed_by, "action": action, "time": about.closed_at, "opinion": ""})
    return sorted(lines, key=lambda line: line["time"].ToMicroseconds(), reverse=True)
