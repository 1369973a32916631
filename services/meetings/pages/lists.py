"""The reader's meetings: coming and past."""

from __future__ import annotations

from datetime import date
from itertools import groupby
from typing import Any

from flask import Blueprint, g, render_template, request
from flask.typing import ResponseReturnValue
from tongban.meetings.v1 import meetings_pb2 as pb

from chassis.web import paged
from chassis.web.filters import local
from services.meetings.pages.common import RECEIPTS, STATES, hm, meetings, registrar_units, today, weekday

views = Blueprint("lists", __name__)


@views.app_context_processor
def words() -> dict[str, Any]:
    """The words for states, known to every template."""
    manages = registrar_units() if g.get("principal") else []
    return {
        "states": STATES,
        "receipts": RECEIPTS,
        "manages": manages,
        "weekday": weekday,
        "today": today,
        "hm": hm,
    }


@views.get("/")
def coming() -> ResponseReturnValue:
    """Coming meetings, day by day."""
    found = _listing(past=False)
    days = [(on, list(rows)) for on, rows in groupby(found.meetings, key=_day)]
    return render_template(
        "coming.html", found=found, days=days, page=paged(found.next_page_token, found.total)
    )


@views.get("/past")
def past() -> ResponseReturnValue:
    """Past meetings, newest first."""
    found = _listing(past=True)
    return render_template("past.html", found=found, page=paged(found.next_page_token, found.total))


def _day(row: pb.MeetingRow) -> date:
    start = local(row.starts_at)
    return start.date() if start else date.min


def _listing(*, past: bool) -> pb.ListMeetingsResponse:
    asked = pb.ListMeetingsRequest(
        past=past, words=request.args.get("q", ""), organised=request.args.get("organised") == "1", page_size=30,
        page_token=request.args.get("cursor", ""),
    )  # fmt: skip
    found: pb.ListMeetingsResponse = meetings.ListMeetings(asked)
    return found
