"""Rooms are never let twice, and never stay taken by nobody."""

from __future__ import annotations

import random
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, timedelta
from itertools import pairwise

import pytest
from tongban.meetings.v1 import meetings_pb2 as pb

from chassis import clock
from chassis.errors import WrongState
from services.meetings.__main__ import of
from services.meetings.booking import LEASE, BookingDesk
from services.meetings.model import Booking, RoomTaken, day_key
from services.meetings.tests.integration.conftest import AS, DAY, asked, call, new_room, rid
from tests.inprocess import eventually

pytestmark = pytest.mark.integration


def booked(meetings, room, day=0):
    key = day_key(room, (DAY + timedelta(days=day)).date())
    found = of(meetings.parts).days.get_many([key]).get(key)
    return [(one.meeting, one.start) for one in found.bookings] if found else []


def booking(number, first, last):
    start, end = (DAY + timedelta(minutes=15 * slot) for slot in (first, last))
    return Booking(f"c{number}", f"m{number}", 1, start.astimezone(UTC), end.astimezone(UTC), "fgw", "keyuan")


@pytest.mark.slow
def test_a_hundred_bookers_of_each_of_a_hundred_slots(meetings):
    """# check 53: 100 parallel bookings x 100 slots, exactly one success each."""
    days = of(meetings.parts).days
    slots = [(day_key(f"slots-{number % 2}", DAY.date()), number // 2) for number in range(100)]

    def book(number):
        (key, slot), who = slots[number // 100], number
        try:
            return (
                slots[number // 100]
                if days.change(key, lambda day: day.book(booking(who, slot, slot + 1)))
                else None
            )
        except RoomTaken:
            return None

    with ThreadPoolExecutor(100) as pool:
        won = [slot for slot in pool.map(book, range(10_000)) if slot]
    assert sorted(won) == sorted(slots)
    assert sum(len(day.bookings) for day in days.get_many({key for key, _ in slots}).values()) == 100
    print("check 53: 10,000 bookings for 100 slots, exactly 1 success each")


def test_random_intervals_booked_at_once_never_overlap(meetings):
    """# check 53 (store): 1,500 random intervals by 16 writers in 3 rooms."""
    days, numbers = of(meetings.parts).days, random.Random(5)
    keys = [day_key(f"random-{number}", DAY.date()) for number in range(3)]
    wanted = []
    for number in range(1500):
        first = numbers.randrange(95)
        wanted.append(
            (numbers.choice(keys), booking(number, first, min(96, first + numbers.randrange(1, 9))))
        )

    def book(one):
        key, claim = one
        try:
            return bool(days.change(key, lambda day: day.book(claim)))
        except RoomTaken:
            return False

    with ThreadPoolExecutor(16) as pool:
        successes = sum(pool.map(book, wanted))
    kept = list(days.get_many(keys).values())
    assert sum(len(day.bookings) for day in kept) == successes
    for day in kept:
        assert all(a.end <= b.start for a, b in pairwise(sorted(day.bookings, key=lambda one: one.start)))


def test_a_hundred_calls_for_one_room_and_the_losers_learn_who_has_it(meetings, room):
    """# check 53 through the gRPC door."""

    def attempt(_):
        try:
            return call(meetings, room, by="wenshu").meeting
        except WrongState as refused:
            return refused.reason, refused.zh, refused.fields["room"]

    with ThreadPoolExecutor(32) as pool:
        answers = list(pool.map(attempt, range(100)))
    sentence = "会议室在09:00–10:00已由云溪区人民政府办公室（wenshu同志）预订，请换一个时间或会议室。"
    assert answers.count(("ROOM_TAKEN", sentence, sentence)) == 99
    assert len(booked(meetings, room)) == 1
    assert list(of(meetings.parts).holds.scan()) == []


def test_the_same_request_at_once_books_once(meetings, room):
    """# check 42"""
    request = asked(pb.CallMeetingRequest, room)
    with ThreadPoolExecutor(16) as pool:
        made = {
            one.meeting
            for one in pool.map(lambda _: meetings.call("CallMeeting", request, AS["mishu"]), range(48))
        }
    assert len(made) == 1
    assert len(booked(meetings, room)) == 1


class Died(BaseException):
    """The process ends here: nothing catches it and nothing cleans up."""


@pytest.mark.parametrize("step", ["after the hold", "after the claim", "after the save"])
def test_a_call_that_died_on_the_way_leaves_nothing_behind(meetings, room, step, monkeypatch):
    """# check 46 (bookings): recovery frees what no meeting carries, and keeps what one does."""
    from services.meetings import commands
    from tests.inprocess import PlainVerifier

    kept = of(meetings.parts)
    desk = BookingDesk(kept)

    def die(*_, **__):
        raise Died

    if step == "after the hold":
        monkeypatch.setattr(kept.days, "change", die)
    elif step == "after the claim":
        monkeypatch.setattr(kept.meetings, "add", die)
    else:
        monkeypatch.setattr(kept.holds, "remove", die)
    message = asked(pb.CallMeetingRequest, room)
    from chassis.aggregate import Request
    from services.meetings.rpc import _announced

    request = Request(rid())
    with pytest.raises(Died):
        commands.call_meeting(
            kept,
            desk,
            meetings.parts.directory,
            PlainVerifier().verify(AS["mishu"]),
            request,
            _announced(message),
            "",
        )
    monkeypatch.undo()
    saved = step == "after the save"
    assert len(booked(meetings, room)) == (0 if step == "after the hold" else 1)
    assert len([hold for hold in kept.holds.scan() if hold.day.startswith(room)]) == 1
    desk.recover(clock.now())
    assert len([hold for hold in kept.holds.scan() if hold.day.startswith(room)]) == 1, (
        "a call under way is left alone"
    )
    desk.recover(clock.now() + LEASE + timedelta(seconds=1))
    assert [hold for hold in kept.holds.scan() if hold.day.startswith(room)] == []
    assert len(booked(meetings, room)) == (1 if saved else 0)
    assert (kept.meetings.find(request.new_id()) is not None) == saved


def test_a_meeting_that_lost_its_claim_is_told_so_and_never_shares_the_room(meetings, room):
    first = call(meetings, room)
    kept, desk = of(meetings.parts), BookingDesk(of(meetings.parts))
    # The event of this call settles the meeting too, and would book the room again: it goes first.
    eventually(lambda: any(end.id == first.meeting for end in kept.ends.scan()))
    day = day_key(room, DAY.date())
    claim = kept.meetings.get(first.meeting).claim
    kept.days.change(day, lambda record: record.drop(claim))
    second = call(meetings, room)
    desk.settle(first.meeting)
    lost = kept.meetings.get(first.meeting)
    assert (lost.notice.room, lost.claim, bool(lost.seeking)) == ("", "", True)
    assert [key for key, _ in booked(meetings, room)] == [second.meeting]
    desk.settle(second.meeting)
    assert [key for key, _ in booked(meetings, room)] == [second.meeting]


def test_a_move_frees_the_old_time_and_a_cancelled_meeting_the_room(meetings, room):
    made = call(meetings, room, start=9, end=11)
    other = call(meetings, room, start=14, end=15)
    change = {"meeting": made.meeting, "title": "经济运行分析会"}
    with pytest.raises(WrongState, match="ROOM_TAKEN"):
        meetings.call(
            "ChangeMeeting", asked(pb.ChangeMeetingRequest, room, start=14, end=16, **change), AS["mishu"]
        )
    assert len(booked(meetings, room)) == 2
    # Overlapping one's own old time is no clash.
    meetings.call(
        "ChangeMeeting", asked(pb.ChangeMeetingRequest, room, start=10, end=12, **change), AS["mishu"]
    )
    moved = [(made.meeting, 2), (other.meeting, 6)]
    eventually(lambda: [(key, start.hour) for key, start in booked(meetings, room)] == moved)
    elsewhere = new_room(meetings)
    meetings.call("ChangeMeeting", asked(pb.ChangeMeetingRequest, elsewhere, day=1, **change), AS["mishu"])
    eventually(lambda: [key for key, _ in booked(meetings, room)] == [other.meeting])
    eventually(lambda: [key for key, _ in booked(meetings, elsewhere, 1)] == [made.meeting])
    cancel = pb.CancelMeetingRequest(meeting=made.meeting, reason="领导出差", request_id=rid())
    meetings.call("CancelMeeting", cancel, AS["wenshu"])
    eventually(lambda: booked(meetings, elsewhere, 1) == [])
    eventually(lambda: not list(of(meetings.parts).holds.scan()))


def test_parallel_moves_of_one_meeting_leave_one_booking(meetings):
    rooms = [new_room(meetings) for _ in range(8)]
    made = call(meetings, rooms[0])

    def move(room):
        from chassis.errors import Conflict

        try:
            meetings.call(
                "ChangeMeeting", asked(pb.ChangeMeetingRequest, room, meeting=made.meeting), AS["mishu"]
            )
        except Conflict:
            return

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(move, rooms * 3))
    now = meetings.call("GetMeeting", pb.GetMeetingRequest(meeting=made.meeting), AS["mishu"])
    eventually(lambda: [room for room in rooms if booked(meetings, room)] == [now.room])
