"""Moments between the wire, the code and the office's clock: Timestamp there, aware `datetime` here, Asia/Shanghai on paper."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from google.protobuf.timestamp_pb2 import Timestamp

SHANGHAI = ZoneInfo("Asia/Shanghai")


def stamp(at: datetime | None) -> Timestamp | None:
    """A moment as it goes over the wire; None stays absent."""
    if at is None:
        return None
    made = Timestamp()
    made.FromDatetime(at)
    return made


def moment(given: Timestamp) -> datetime | None:
    """A moment as it is kept: UTC, to the millisecond (what MongoDB keeps); None for an absent one."""
    if not given.seconds and not given.nanos:
        return None
    return datetime.fromtimestamp(given.seconds, UTC) + timedelta(milliseconds=given.nanos // 1_000_000)
