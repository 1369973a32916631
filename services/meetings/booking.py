"""Rooms and meetings kept in agreement, although they are different records and no transaction spans them.

The room's day decides: who stands in it has the room. A claim is made before the meeting is saved, and its `hold` before the claim:

1. hold written → 2. claim in the room's day (compare-and-set; a clash ends it here) → 3. meeting saved with the claim's id → 4. hold
   removed, older claims of the meeting dropped.

Dead after 1 or 2: `recover`, in `work`, reads the few holds; one that is older than LEASE and whose claim no meeting carries is
dropped, and the room is free again. Dead after 3: the event of the save makes `settle` finish step 4, as often as it is delivered.
Should a save take longer than LEASE and lose its claim to others, `settle` sees it, takes the room out of the meeting and asks
the organiser for another one. So no room is ever let twice, and none stays taken by nobody.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from datetime import datetime, timedelta
from functools import partial

from chassis import clock, log
from chassis.aggregate import Request
from chassis.errors import TimedOut, Unavailable
from chassis.repository import anyone
from services.meetings.model import Booking, Meeting, RoomDay, RoomTaken, day_key
from services.meetings.repository import End, Hold, Records

LEASE = timedelta(minutes=3)  # six times the longest call
_log = log.get(__name__)


class BookingDesk:
    """Claims rooms for meetings and puts right what was left half done."""

    def __init__(self, records: Records) -> None:
        self._records = records

    @contextlib.contextmanager
    def claimed(self, room: str, booking: Booking) -> Iterator[str]:
        """Hold the room for the with-block, in which the meeting is saved with the claim; yields the day's key.

        Raises RoomTaken. When the block fails the room is free again, unless it is not known whether the meeting was saved.
        """
        day = day_key(room, booking.span.day)
        self._write_hold(booking, day)
        try:
            self._records.days.change(day, lambda record: record.book(booking))
            yield day
        except (Unavailable, TimedOut):
            # The save may have come through all the same: the hold stays, and recovery finds out.
            raise
        except Exception:
            self.give_back(day, booking.claim)
            raise
        self._records.holds.remove(booking.claim)

    def give_back(self, day: str, claim: str) -> None:
        """Drop one claim and its hold."""
        self._records.days.change(day, lambda record: record.drop(claim))
        self._records.holds.remove(claim)

    def settle(self, key: str) -> None:
        """Make the room days say what the meeting says now; idempotent, in any order, at any time."""
        meeting = self._records.meetings.get(key)
        while True:
            if not self._claim_stands(meeting):
                request = Request(f"lost:{meeting.claim}")
                _log.error("room lost", meeting=key, claim=meeting.claim)
                self._records.meetings.change(
                    key, request, partial(_lose_room, claim=meeting.claim, now=clock.now()), anyone
                )
            else:
                for day in meeting.touched:
                    self._records.days.change(day, partial(_tidy, meeting=meeting))
                self._note_end(meeting)
            again = self._records.meetings.get(key)
            if again.revision == meeting.revision:
                return
            meeting = again

    def recover(self, now: datetime) -> int:
        """Settle every hold that is older than LEASE; returns how many there were."""
        old = [hold for hold in self._records.holds.scan() if hold.at is None or now - hold.at > LEASE]
        for hold in old:
            meeting = self._records.meetings.find(hold.meeting)
            if meeting is None or meeting.claim != hold.id:
                self._records.days.change(hold.day, partial(_drop, claim=hold.id))
            self._records.holds.remove(hold.id)
        return len(old)

    def conclude(self, now: datetime) -> int:
        """Conclude every meeting whose end has passed; returns how many there were."""
        due = [end for end in self._records.ends.scan() if end.at is None or end.at <= now]
        for end in due:
            meeting = self._records.meetings.find(end.id)
            if meeting is not None and meeting.state == "called" and meeting.notice.span.end <= now:
                self._records.meetings.change(
                    end.id, Request(f"end:{end.id}"), lambda one: one.conclude(now), anyone
                )
            self._records.ends.remove(end.id)
        return len(due)

    def _claim_stands(self, meeting: Meeting) -> bool:
        if not meeting.claim:
            return True
        day = day_key(meeting.notice.room, meeting.notice.span.day)
        try:
            self._records.days.change(
                day, lambda record: record.book(booking_of(meeting, meeting.claim, meeting.number))
            )
        except RoomTaken:
            return False
        return True

    def _write_hold(self, booking: Booking, day: str) -> None:
        def write(hold: Hold) -> bool:
            hold.meeting, hold.day, hold.at = booking.meeting, day, clock.now()
            return True

        self._records.holds.change(booking.claim, write)

    def _note_end(self, meeting: Meeting) -> None:
        if meeting.state != "called":
            return

        def write(end: End) -> bool:
            changed = end.at != meeting.notice.span.end
            end.at = meeting.notice.span.end
            return changed

        self._records.ends.change(meeting.id, write)


def booking_of(meeting: Meeting, claim: str, number: int) -> Booking:
    """What a meeting puts into a room's day."""
    span = meeting.notice.span
    return Booking(claim, meeting.id, number, span.start, span.end, meeting.organiser_unit, meeting.organiser)


def _drop(record: RoomDay, claim: str) -> bool:
    return record.drop(claim)


def _lose_room(meeting: Meeting, claim: str, now: datetime) -> bool:
    return meeting.lose_room(claim, now)


def _tidy(record: RoomDay, meeting: Meeting) -> bool:
    return record.keep(meeting.id, meeting.claim, meeting.number)
