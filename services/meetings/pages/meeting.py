"""One meeting: calling it, its page, changing it, answering, urging."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, render_template, request, url_for
from flask.typing import ResponseReturnValue
from tongban.meetings.v1 import meetings_pb2 as pb

from chassis.errors import TongbanError
from chassis.times import stamp
from chassis.web import form_errors, form_request_id, form_time, go
from chassis.web.filters import local
from services.meetings.pages.common import (
    TIMES,
    as_fields,
    asked_times,
    day,
    hm,
    meetings,
    next_hour,
    participants,
)

views = Blueprint("meeting", __name__)


@views.get("/new")
def new() -> ResponseReturnValue:
    """An empty form; a link from the calendar may give date, start, end and room."""
    first, given = next_hour(), request.args
    shown = {
        "date": day(given.get("date", "")) if given.get("date") else first.date(), "room": given.get("room", ""),
        "start": given.get("start") or f"{first:%H:%M}", "end": given.get("end") or f"{first.hour + 1:02}:00",
    }  # fmt: skip
    return render_template("form.html", meeting=None, times=TIMES, shown=shown)


@views.post("/new")
def call() -> ResponseReturnValue:
    """Call the meeting."""
    try:
        made = meetings.CallMeeting(pb.CallMeetingRequest(**_announced(), unit=request.form.get("unit", "")))
    except TongbanError as problem:
        if not form_errors(as_fields(problem)):
            raise
        return render_template("form.html", meeting=None, times=TIMES, shown=_posted()), 422
    return go(url_for(".show", meeting=made.meeting), f"会议通知已发出，等待{len(made.invitations)}个回执。")


@views.get("/meeting/<meeting>")
def show(meeting: str) -> ResponseReturnValue:
    """One meeting: when, where, who comes, and what the reader may do now."""
    return _page(_get(meeting))


@views.get("/meeting/<meeting>/change")
def change(meeting: str) -> ResponseReturnValue:
    """The form with what was announced."""
    found = _get(meeting)
    start = local(found.starts_at)
    shown = {
        "date": start.date() if start else None,
        "start": hm(found.starts_at),
        "end": hm(found.ends_at),
        "room": found.room or "-",
    }
    return render_template("form.html", meeting=found, times=TIMES, shown=shown)


@views.post("/meeting/<meeting>/change")
def save(meeting: str) -> ResponseReturnValue:
    """Announce the change."""
    try:
        asked = pb.ChangeMeetingRequest(meeting=meeting, **_announced(), etag=request.form.get("etag", ""))
        meetings.ChangeMeeting(asked)
    except TongbanError as problem:
        if not form_errors(as_fields(problem)):
            raise
        return render_template("form.html", meeting=_get(meeting), times=TIMES, shown=_posted()), 422
    return go(url_for(".show", meeting=meeting), "变更已通知参会单位。")


@views.post("/meeting/<meeting>/read")
def read(meeting: str) -> ResponseReturnValue:
    """The page was seen; asked for by the page itself."""
    meetings.MarkRead(pb.MarkReadRequest(meeting=meeting, request_id=form_request_id()))
    return "", 204


@views.post("/meeting/<meeting>/<act>")
def act(meeting: str, act: str) -> ResponseReturnValue:
    """One step of a meeting."""
    given, common = request.form, {"meeting": meeting, "request_id": form_request_id()}
    number = given.get("invitation", 0, int)
    people = [person for person in given.getlist("attendees") if person]
    steps: dict[str, Any] = {
        "attend": lambda: meetings.AnswerInvitation(
            pb.AnswerInvitationRequest(
                **common, invitation=number, attend=True, attendees=people, names=given.get("names", "")
            )
        ),
        "decline": lambda: meetings.AnswerInvitation(
            pb.AnswerInvitationRequest(
                **common, invitation=number, attend=False, reason=given.get("reason", "")
            )
        ),
        "urge": lambda: meetings.UrgeReceipts(
            pb.UrgeReceiptsRequest(**common, message=given.get("message", ""))
        ),
        "cancel": lambda: meetings.CancelMeeting(
            pb.CancelMeetingRequest(**common, reason=given.get("reason", ""))
        ),
    }
    said = {
        "attend": "回执已提交。",
        "decline": "回执已提交。",
        "urge": "已催办未回执的单位。",
        "cancel": "会议已取消，会议室已释放。",
    }
    if act not in steps:
        return "", 404
    try:
        steps[act]()
    except TongbanError as problem:
        if not form_errors(problem):
            raise
        return _page(_get(meeting)), 422
    return go(url_for(".show", meeting=meeting), said[act])


def _get(meeting: str) -> pb.Meeting:
    found: pb.Meeting = meetings.GetMeeting(pb.GetMeetingRequest(meeting=meeting))
    return found


def _page(found: pb.Meeting) -> str:
    invited = [one for one in found.invitations if one.state != "withdrawn"]
    mine = [one for one in invited if one.mine]
    counts = {
        state: sum(one.state == state for one in invited) for state in ("open", "attending", "declined")
    }
    unread = any(not one.HasField("read_at") for one in mine)
    return render_template(
        "meeting.html", meeting=found, invited=invited, mine=mine, counts=counts, unread=unread
    )


def _announced() -> dict[str, Any]:
    given = request.form
    room = given.get("room", "")
    return {
        "title": given.get("title", ""), "agenda": given.get("agenda", ""), "room": "" if room == "-" else room,
        "place": given.get("place", ""), "participants": participants(), "reply_by": stamp(form_time("reply_by")),
        "request_id": form_request_id(), **asked_times(given),
    }  # fmt: skip


def _posted() -> dict[str, Any]:
    given = request.form
    return {
        "date": given.get("date", ""),
        "start": given.get("start", ""),
        "end": given.get("end", ""),
        "room": given.get("room", ""),
    }
