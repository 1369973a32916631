"""A room's day never holds two meetings at one time."""

from __future__ import annotations

import random
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, invariant, rule

from chassis.errors import InvalidInput
from chassis.times import SHANGHAI
from services.meetings.model import Booking, RoomDay, RoomTaken, Span, day_key, span

DAY = datetime(2026, 12, 1, 0, tzinfo=SHANGHAI)


def at(slot):
    return (DAY + timedelta(minutes=15 * slot)).astimezone(UTC)


def booking(claim, meeting, first, last, number=1):
    return Booking(claim, meeting, number, at(first), at(last), "fgw", "zhang")


def overlaps(day):
    """Pairs of bookings of different meetings that meet."""
    by_meeting = sorted(day.bookings, key=lambda one: one.start)
    return sum(
        a.meeting != b.meeting and a.span.meets(b.span)
        for i, a in enumerate(by_meeting)
        for b in by_meeting[i + 1 :]
    )


def test_ten_thousand_random_intervals_never_overlap():
    """# check 53 (model): 10,000 random bookings, half of them weekly, in 7 rooms over 8 weeks."""
    numbers = random.Random(53)
    days: dict[str, RoomDay] = {}
    asked = booked = 0
    while asked < 10_000:
        room, first, length = numbers.randrange(7), numbers.randrange(95), numbers.randrange(1, 17)
        start, weeks = numbers.randrange(56), numbers.choice((1, 1, 4))
        for week in range(weeks):
            asked += 1
            key = day_key(f"room-{room}", date(2026, 12, 1) + timedelta(days=(start + 7 * week) % 56))
            day = days.setdefault(key, RoomDay(id=key))
            before = list(day.bookings)
            wanted = booking(f"c{asked}", f"m{asked}", first, min(first + length, 96))
            free = not any(one.span.meets(wanted.span) for one in before)
            try:
                day.book(wanted)
                won = True
            except RoomTaken:
                won = False
            assert won == free
            assert day.bookings == (sorted([*before, wanted], key=lambda one: one.start) if free else before)
            booked += won
    every = [
        pair for day in days.values() for pair in pairwise(sorted(day.bookings, key=lambda one: one.start))
    ]
    assert all(first.end <= second.start for first, second in every)
    assert sum(len(day.bookings) for day in days.values()) == booked
    print(f"check 53: {asked} intervals, {booked} booked, 0 overlaps")


class Bookings(RuleBasedStateMachine):
    """# check 95 (bookings): claims, moves, give-backs in any order."""

    claims = Bundle("claims")

    def __init__(self):
        super().__init__()
        self.day = RoomDay(id="room-1|2026-12-01")
        self.count = 0

    @rule(
        target=claims,
        meeting=st.sampled_from("abcd"),
        first=st.integers(0, 20),
        length=st.integers(1, 8),
        number=st.integers(1, 3),
    )
    def book(self, meeting, first, length, number):
        self.count += 1
        wanted = booking(f"{meeting}/{number}/{self.count}", meeting, first, first + length, number)
        in_the_way = [
            one for one in self.day.bookings if one.meeting != meeting and one.span.meets(wanted.span)
        ]
        if in_the_way:
            with pytest.raises(RoomTaken) as refused:
                self.day.book(wanted)
            assert refused.value.booking in in_the_way
        else:
            assert self.day.book(wanted)
            assert not self.day.book(wanted)
        return wanted

    @rule(claim=claims)
    def drop(self, claim):
        there = any(one.claim == claim.claim for one in self.day.bookings)
        assert self.day.drop(claim.claim) == there

    @rule(claim=claims)
    def keep(self, claim):
        later = [
            one for one in self.day.bookings if one.meeting == claim.meeting and one.number > claim.number
        ]
        others = [one for one in self.day.bookings if one.meeting != claim.meeting]
        self.day.keep(claim.meeting, claim.claim, claim.number)
        left = [one for one in self.day.bookings if one.claim != claim.claim]
        assert sorted(left, key=lambda one: one.claim) == sorted(later + others, key=lambda one: one.claim)

    @invariant()
    def no_two_meetings_meet(self):
        assert overlaps(self.day) == 0


TestBookings = Bookings.TestCase


@given(st.integers(0, 95), st.integers(1, 96))
def test_a_time_lies_within_one_day(first, length):
    if first + length <= 96:
        assert span(at(first), at(first + length)).day == date(2026, 12, 1)
    else:
        with pytest.raises(InvalidInput) as refused:
            span(at(first), at(first + length))
        assert "同一天" in refused.value.zh


def test_times_are_whole_quarters_and_go_forwards():
    with pytest.raises(InvalidInput):
        span(at(4) + timedelta(minutes=1), at(8))
    with pytest.raises(InvalidInput):
        span(at(8), at(8))
    assert not Span(at(4), at(8)).meets(Span(at(8), at(9)))
