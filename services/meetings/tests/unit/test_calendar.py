"""The calendar's rows have no gaps and no overlaps, whatever is booked."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise

from google.protobuf.timestamp_pb2 import Timestamp
from hypothesis import given
from hypothesis import strategies as st
from tongban.meetings.v1 import meetings_pb2 as pb

from chassis.times import SHANGHAI
from services.meetings.pages.rooms import FIRST, LAST, cells

DAY = datetime(2026, 12, 1, tzinfo=SHANGHAI)


def stamp(quarter):
    made = Timestamp()
    made.FromDatetime((DAY + timedelta(minutes=15 * quarter)).astimezone(UTC))
    return made


@given(st.lists(st.integers(0, 96), unique=True, max_size=12))
def test_a_row_is_as_wide_as_the_day_and_shows_every_booking_within_it(edges):
    edges = sorted(edges[: len(edges) // 2 * 2])
    times = list(zip(edges[::2], edges[1::2], strict=True))
    row = cells([pb.Booking(room="r", starts_at=stamp(start), ends_at=stamp(end)) for start, end in times])
    assert sum(cell.width for cell in row) == LAST - FIRST
    assert all(cell.width > 0 for cell in row)
    assert sum(cell.booking is not None for cell in row) == sum(
        start < LAST and end > FIRST for start, end in times
    )
    assert all(first.end == second.start for first, second in pairwise(row) if first.booking)
