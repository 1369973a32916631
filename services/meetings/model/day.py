"""What is booked in one room on one day: one record, so that compare-and-set on it makes double bookings impossible.

A booking is a claim of a meeting. Its number is the version of the meeting's schedule it was made for, so that a meeting that is
being moved may hold its old and its new time side by side until the move is saved.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime, timedelta

from chassis.errors import WrongState, invalid
from chassis.times import SHANGHAI

SLOT = timedelta(minutes=15)


@dataclass(frozen=True)
class Span:
    """A time within one day: start ≤ t < end."""

    start: datetime
    end: datetime

    def meets(self, other: Span) -> bool:
        """Whether both have a moment in common."""
        return self.start < other.end and other.start < self.end

    @property
    def day(self) -> date:
        """The day in Asia/Shanghai."""
        return self.start.astimezone(SHANGHAI).date()


def span(start: datetime, end: datetime) -> Span:
    """A checked time: whole quarters of an hour, forwards, within one day of Asia/Shanghai.

    Raises InvalidInput. A booking over midnight is refused, since no room is let over night.
    """
    wrong: dict[str, str] = {}
    if any((moment.timestamp() % SLOT.total_seconds()) for moment in (start, end)):
        wrong["starts_at"] = "时间请选整刻钟，如 9:00、9:15。"
    elif end <= start:
        wrong["ends_at"] = "结束时间应晚于开始时间。"
    # The last moment counts: a meeting that ends at midnight belongs to the day before.
    elif start.astimezone(SHANGHAI).date() != (end - timedelta(milliseconds=1)).astimezone(SHANGHAI).date():
        wrong["ends_at"] = "会议应在同一天内开始和结束。"
    if wrong:
        raise invalid(**wrong)
    return Span(start, end)


def day_key(room: str, day: date) -> str:
    """The id of a room's day: "room-7|2026-12-01"."""
    return f"{room}|{day.isoformat()}"


@dataclass(frozen=True)
class Booking:
    """A claim. claim: unique per attempt; number: the schedule version of the meeting; unit, by: whom others are told of."""

    claim: str
    meeting: str
    number: int
    start: datetime
    end: datetime
    unit: str
    by: str

    @property
    def span(self) -> Span:
        """Its time."""
        return Span(self.start, self.end)


class RoomTaken(WrongState):
    """Somebody else has the room at that time; `booking` says who."""

    booking: Booking


@dataclass(kw_only=True)
class RoomDay:
    """One room's day; `id` is day_key's. No two bookings of different meetings ever meet."""

    id: str
    bookings: list[Booking] = field(default_factory=list)

    def book(self, booking: Booking) -> bool:
        """Take a time; False when this claim has it already.

        Raises RoomTaken when another meeting has the room then.
        """
        for other in self.bookings:
            if other.claim == booking.claim:
                return False
            if other.meeting != booking.meeting and other.span.meets(booking.span):
                raise _taken(other)
        self.bookings = sorted([*self.bookings, booking], key=lambda one: (one.start, one.claim))
        return True

    def keep(self, meeting: str, claim: str, number: int) -> bool:
        """Of this meeting's claims up to schedule version `number`, keep only `claim` ('' for none); True when any went.

        Claims for a later version belong to a change that is under way, and stay.
        """
        kept = [
            one
            for one in self.bookings
            if one.meeting != meeting or one.number > number or one.claim == claim
        ]
        gone = len(kept) < len(self.bookings)
        self.bookings = kept
        return gone

    def drop(self, claim: str) -> bool:
        """Give one claim back; False when it is not there."""
        kept = [one for one in self.bookings if one.claim != claim]
        gone = len(kept) < len(self.bookings)
        self.bookings = kept
        return gone

    def within(self, wanted: Span, meeting: str = "") -> list[Booking]:
        """What stands in the way of `meeting` in this time."""
        return [one for one in self.bookings if one.meeting != meeting and one.span.meets(wanted)]


def _taken(booking: Booking) -> RoomTaken:
    start, end = (moment.astimezone(SHANGHAI) for moment in (booking.start, booking.end))
    # The command that knows the directory puts the name of who has it before this.
    refusal = RoomTaken(
        "ROOM_TAKEN", f"会议室在{start:%H:%M}–{end:%H:%M}已被预订。", "The room is taken at that time."
    )
    refusal.booking = booking
    return refusal
