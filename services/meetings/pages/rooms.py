"""Rooms: the calendar of a day or a week, which are free at a time, and keeping their list."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta

from flask import Blueprint, render_template, request, url_for
from flask.typing import ResponseReturnValue
from tongban.meetings.v1 import meetings_pb2 as pb

from chassis.errors import TongbanError
from chassis.web import form_errors, form_request_id, go
from chassis.web.filters import local
from services.meetings.pages.common import (
    CLOSES,
    OPENS,
    QUARTERS,
    TIMES,
    as_fields,
    asked_times,
    day,
    meetings,
    registrar_units,
    weekday,
)

views = Blueprint("rooms", __name__, static_folder="static")
FIRST, LAST = OPENS * QUARTERS, CLOSES * QUARTERS
STEP = 2  # quarters in one free cell: half an hour


@dataclass(frozen=True)
class Cell:
    """A piece of a row: `width` quarters, free from `start` to `end`, or booked."""

    width: int
    start: str
    end: str
    booking: pb.Booking | None = None


@dataclass(frozen=True)
class Row:
    """One room on one day."""

    room: pb.Room
    date: date
    label: str
    cells: list[Cell]
    bookings: list[pb.Booking]


@views.get("/rooms")
def calendar() -> ResponseReturnValue:
    """All rooms on one day, or one room in a week."""
    on, room = day(request.args.get("date", "")), request.args.get("room", "")
    first = on - timedelta(days=on.weekday()) if room else on
    days = 7 if room else 1
    found = meetings.GetCalendar(pb.GetCalendarRequest(room=room, date=first.isoformat(), days=days))
    rows = []
    for one in found.rooms:
        for step in range(found.days):
            at = first + timedelta(days=step)
            booked = [each for each in found.bookings if each.room == one.room and _on(each, at)]
            label = f"{weekday(at)} {at.month}月{at.day}日" if room else one.name
            rows.append(Row(one, at, label, cells(booked), booked))
    hours = [f"{hour}:00" for hour in range(OPENS, CLOSES)]
    around = (first - timedelta(days=days), first + timedelta(days=days))
    return render_template(
        "calendar.html", rows=rows, hours=hours, on=on, first=first, around=around, room=room, found=found
    )


@views.get("/fragment/rooms")
def free_rooms() -> ResponseReturnValue:
    """Which rooms are free at the time that the form says."""
    chosen, own = request.args.get("room", ""), request.args.get("meeting", "")
    try:
        found = meetings.ListAvailability(
            pb.ListAvailabilityRequest(**asked_times(request.args), meeting=own)
        )
    except TongbanError as problem:
        return render_template("free_rooms.html", found=None, problem=problem.zh, chosen=chosen)
    return render_template("free_rooms.html", found=found, problem="", chosen=chosen)


@views.get("/rooms/edit")
def edit() -> ResponseReturnValue:
    """The form of one room, or of a new one."""
    wanted = request.args.get("room", "")
    rooms = meetings.ListRooms(pb.ListRoomsRequest()).rooms
    room = next((one for one in rooms if one.room == wanted), pb.Room(shared=True))
    return render_template(
        "room.html", room=room, rooms=[one for one in rooms if one.unit in registrar_units()]
    )


@views.post("/rooms/edit")
def save() -> ResponseReturnValue:
    """Save a room."""
    given = request.form
    room = pb.Room(
        room=given.get("room", ""), name=given.get("name", ""), unit=given.get("unit", ""), location=given.get("location", ""),
        capacity=given.get("capacity", 0, int) or 0, equipment=given.get("equipment", ""), shared="shared" in given,
        closed="closed" in given, etag=given.get("etag", ""),
    )  # fmt: skip
    try:
        meetings.SaveRoom(pb.SaveRoomRequest(room=room, request_id=form_request_id()))
    except TongbanError as problem:
        problem.fields = {name.removeprefix("room."): sentence for name, sentence in problem.fields.items()}
        if not form_errors(as_fields(problem)):
            raise
        return render_template("room.html", room=room, rooms=[]), 422
    return go(url_for(".edit"), "会议室已保存。")


def cells(booked: list[pb.Booking]) -> list[Cell]:
    """A day from OPENS to CLOSES as cells without a gap; what lies outside is cut off."""
    found: list[Cell] = []
    at = FIRST
    for one in sorted(booked, key=lambda each: each.starts_at.seconds):
        start, end = max(_quarter(one, "starts_at"), at), min(_quarter(one, "ends_at"), LAST)
        if start >= end:
            continue
        found += _free(at, start)
        found.append(Cell(end - start, _time(start), _time(end), one))
        at = end
    return found + _free(at, LAST)


def _free(start: int, end: int) -> list[Cell]:
    found = []
    while start < end:
        # Cells begin on half hours, so that the columns of all rows agree.
        stop = min(end, start + STEP - start % STEP)
        found.append(Cell(stop - start, _time(start), _time(min(start + QUARTERS, LAST))))
        start = stop
    return found


def _quarter(one: pb.Booking, field: str) -> int:
    at = local(getattr(one, field))
    if at is None:
        return FIRST
    start = local(one.starts_at)
    next_day = start is not None and at.date() > start.date()
    return 24 * QUARTERS if next_day else at.hour * QUARTERS + at.minute // 15


def _time(quarter: int) -> str:
    return TIMES[quarter - FIRST]


def _on(one: pb.Booking, at: date) -> bool:
    start = local(one.starts_at)
    return start is not None and start.date() == at
