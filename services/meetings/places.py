"""What is announced, with its place looked up: which rooms a unit may book, and who has one that is taken."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from chassis.directory import Directory
from chassis.errors import invalid
from services.meetings.model import Notice, Room, RoomTaken, Span
from services.meetings.repository import Records


@dataclass(frozen=True)
class Announced:
    """What the form says: a notice before the place is looked up, and whom to invite ("u:<unit>", "p:<person>")."""

    title: str
    agenda: str
    span: Span
    room: str
    place: str
    reply_by: datetime | None
    participants: list[str]


def notice_of(records: Records, directory: Directory, announced: Announced, unit: str) -> Notice:
    """The notice, with the place in words.

    Raises InvalidInput for a room that the unit may not book.
    """
    place = announced.place.strip()
    if announced.room:
        room = records.rooms.find(announced.room)
        if room is None or not may_book(directory, room, unit):
            raise invalid(room="该会议室不存在或不对您的单位开放，请重新选择。")
        # Where it is stays in the notice as it was said, even if the room is renamed later.
        place = f"{room.name}（{room.location}）" if room.location else room.name
    return Notice(
        announced.title.strip(),
        announced.agenda.strip(),
        announced.span,
        announced.room,
        place,
        announced.reply_by,
    )


def may_book(directory: Directory, room: Room, unit: str) -> bool:
    """Whether somebody of `unit` may book this room."""
    return not room.closed and (
        room.shared or directory.organisation(room.unit) == directory.organisation(unit)
    )


def taken_sentence(directory: Directory, taken: RoomTaken) -> str:
    """Who has the room, in one sentence."""
    who = f"{directory.unit_name(taken.booking.unit)}（{directory.person_name(taken.booking.by)}）"
    return f"{taken.zh.removesuffix('已被预订。')}已由{who}预订，请换一个时间或会议室。"
