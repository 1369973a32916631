"""Model ↔ MongoDB: meetings and rooms as aggregates; room days, holds and ends as small records beside them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from google.protobuf.message import Message

from chassis.parts import Parts
from chassis.plain import PlainRecords
from chassis.repository import Repository
from services.meetings.model import Meeting, Room, RoomDay

ToWire = Callable[[Any, Any], Message]


@dataclass
class Hold:
    """A claim on a room's day whose meeting is not known to be saved yet; `id` is the claim."""

    id: str
    meeting: str = ""
    day: str = ""
    at: datetime | None = None


@dataclass
class End:
    """A meeting that has to be concluded at `at`; `id` is the meeting's."""

    id: str
    at: datetime | None = None


@dataclass(frozen=True)
class Records:
    """Everything that this service keeps."""

    meetings: Repository[Meeting]
    rooms: Repository[Room]
    days: PlainRecords[RoomDay]
    holds: PlainRecords[Hold]
    ends: PlainRecords[End]

    def by_name(self) -> dict[str, Repository[Any]]:
        """The repositories that the relay works on."""
        return {one.name: one for one in (self.meetings, self.rooms)}

    def all_rooms(self) -> list[Room]:
        """Every room in the order of its id; rooms are few."""
        return sorted(self.rooms.scan(), key=lambda room: room.id)


def records(parts: Parts, to_wire: ToWire) -> Records:
    """The records of this process; to_wire turns a meeting's news into messages."""
    return Records(
        meetings=parts.repository(
            Meeting,
            "meetings",
            to_wire=to_wire,
            what="会议",
            owners=lambda meeting: {f"u:{meeting.organiser_unit}"},
        ),
        rooms=parts.repository(Room, "rooms", what="会议室", owners=lambda room: {f"u:{room.unit}"}),
        days=PlainRecords(parts.store, "room_days", RoomDay, lambda key: RoomDay(id=key)),
        holds=PlainRecords(parts.store, "holds", Hold, lambda key: Hold(id=key)),
        ends=PlainRecords(parts.store, "ends", End, lambda key: End(id=key)),
    )
