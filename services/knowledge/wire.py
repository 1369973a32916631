"""Times between protobuf and Python."""

from __future__ import annotations

from datetime import UTC, datetime

from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp


def moment(message: Message, field: str) -> datetime | None:
    """The time in a message's field, to the millisecond (what MongoDB keeps); None when it is not set."""
    if not message.HasField(field):
        return None
    found: datetime = getattr(message, field).ToDatetime(tzinfo=UTC)
    return found.replace(microsecond=found.microsecond // 1000 * 1000)


def stamp(given: datetime | None) -> Timestamp | None:
    """The time as it goes over the wire; None stays absent."""
    if given is None:
        return None
    wire = Timestamp()
    wire.FromDatetime(given)
    return wire
