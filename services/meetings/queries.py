"""Rooms, their calendar, and lists of meetings."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import Any

from chassis import clock
from chassis.aggregate import Request
from chassis.directory import Directory
from chassis.errors import forbidden, invalid
from chassis.identity_types import Principal
from chassis.registry import Registry, micros
from chassis.search import Query
from chassis.times import SHANGHAI
from services.meetings.model import Booking, Meeting, Room, Span, day_key
from services.meetings.places import may_book
from services.meetings.registry import readers
from services.meetings.repository import Records

DAYS = 7


@dataclass(frozen=True)
class Shown:
    """A booking as a reader may see it: with the meeting, or only who has the room."""

    room: str
    booking: Booking
    meeting: Meeting | None


@dataclass(frozen=True)
class Listing:
    """One page of meetings."""

    rows: list[tuple[str, dict[str, Any]]]
    total: int
    next: str


def save_room(records: Records, principal: Principal, request: Request, room: Room, etag: str) -> Room:
    """Create a room, or change one; rooms belong to the unit whose registrar made them.

    Raises Forbidden, InvalidInput, Conflict.
    """
    room = replace(room, unit=room.unit or principal.unit, name=room.name.strip())
    room.check()
    if not principal.has_post(room.unit, "registrar"):
        raise forbidden("只有本单位文书可以管理会议室。")

    def access(there: Room) -> None:
        if not principal.has_post(there.unit, "registrar"):
            raise forbidden("这个编号的会议室属于其他单位。")

    def step(there: Room) -> None:
        for name in ("name", "unit", "location", "capacity", "equipment", "shared", "closed"):
            setattr(there, name, getattr(room, name))

    made = records.rooms.add_if_missing(room, request)
    return made or records.rooms.change(room.id, replace(request, etag=etag), step, access)


def calendar(
    records: Records, principal: Principal, room: str, first: str, days: int
) -> tuple[list[Room], list[Shown], date, int]:
    """Rooms, and what is booked in them from a day on.

    Raises InvalidInput, NotFound.
    """
    days = min(max(days, 1), DAYS)
    start = _day(first)
    rooms = [records.rooms.get(room)] if room else [one for one in records.all_rooms() if not one.closed]
    wanted = [(one.id, start + timedelta(days=step)) for one in rooms for step in range(days)]
    found = records.days.get_many(day_key(key, day) for key, day in wanted)
    booked = [
        (key, one)
        for key, day in wanted
        if (record := found.get(day_key(key, day)))
        for one in record.bookings
    ]
    return rooms, _shown(records, principal, booked), start, days


def availability(
    records: Records, directory: Directory, principal: Principal, wanted: Span, meeting: str
) -> list[tuple[Room, list[Shown]]]:
    """The rooms that the caller may book, with what stands in the way; free ones first, then the smaller ones."""
    rooms = [
        one for one in records.all_rooms() if any(may_book(directory, one, unit) for unit in principal.units)
    ]
    days = records.days.get_many(day_key(one.id, wanted.day) for one in rooms)
    answer = []
    for room in rooms:
        record = days.get(day_key(room.id, wanted.day))
        taken = [(room.id, one) for one in record.within(wanted, meeting)] if record else []
        answer.append((room, _shown(records, principal, taken)))
    return sorted(answer, key=lambda one: (bool(one[1]), one[0].capacity, one[0].id))


def list_meetings(
    registry: Registry, principal: Principal, *, past: bool, words: str, since: datetime | None, until: datetime | None,
    organised: bool, size: int, after: str,
) -> Listing:  # fmt: skip
    """Meetings in the caller's calendar, or those that the caller called."""
    now = micros(clock.now())
    must = {"organiser": [principal.person]} if organised else {"audience": sorted(principal.tokens)}
    query = Query(
        words, must=must, since=micros(since), until=micros(until), ranges={"end": (None, now) if past else (now, None)},
        order="date" if past else "date_up", after=after, size=size,
    )  # fmt: skip
    page = registry.search(query, principal)
    return Listing([(hit.id, dict(hit.stored["row"])) for hit in page.hits], page.total, page.next)


def _shown(records: Records, principal: Principal, booked: list[tuple[str, Booking]]) -> list[Shown]:
    meetings = records.meetings.get_many({one.meeting for _, one in booked})
    shown = []
    for room, one in booked:
        meeting = meetings.get(one.meeting)
        visible = meeting is not None and not principal.tokens.isdisjoint(readers(meeting))
        shown.append(Shown(room, one, meeting if visible else None))
    return shown


def _day(text: str) -> date:
    if not text:
        return clock.now().astimezone(SHANGHAI).date()
    try:
        return date.fromisoformat(text)
    except ValueError as problem:
        raise invalid(date="请填写正确的日期。") from problem
