"""proto ↔ command, and the table of who may call what."""

from __future__ import annotations

from typing import Any

import grpc
from tongban.meetings.v1 import meetings_pb2 as pb
from tongban.meetings.v1 import meetings_pb2_grpc

from chassis import bounds
from chassis.context import caller
from chassis.directory import Directory
from chassis.door import Who, callers
from chassis.errors import invalid
from chassis.idempotency import request_of
from chassis.identity_types import Principal
from chassis.registry import Registry, from_micros
from chassis.times import moment, stamp
from services.meetings import commands, queries
from services.meetings.booking import BookingDesk
from services.meetings.model import Answer, Invitation, Meeting, Room, Span, span
from services.meetings.places import Announced
from services.meetings.repository import Records

WHO: Who = {
    "ListRooms": callers("person"),
    "SaveRoom": callers("registrar"),
    "GetCalendar": callers("person"),
    "ListAvailability": callers("person"),
    "ListMeetings": callers("person"),
    "GetMeeting": callers("person"),
    "CallMeeting": callers("person"),
    "ChangeMeeting": callers("person"),
    "CancelMeeting": callers("person"),
    "AnswerInvitation": callers("person"),
    "MarkRead": callers("person"),
    "UrgeReceipts": callers("person"),
}

# Refused while nobody could keep their record: nothing here gives or takes a right.
SECURITY: frozenset[str] = frozenset()


class MeetingService(meetings_pb2_grpc.MeetingServiceServicer):
    """tongban.meetings.v1.MeetingService."""

    def __init__(self, records: Records, desk: BookingDesk, registry: Registry, directory: Directory) -> None:
        self._records = records
        self._desk = desk
        self._registry = registry
        self._directory = directory

    def ListRooms(self, _request: pb.ListRoomsRequest, _: grpc.ServicerContext) -> pb.ListRoomsResponse:
        return pb.ListRoomsResponse(rooms=map(_room, self._records.all_rooms()))

    def SaveRoom(self, request: pb.SaveRoomRequest, _: grpc.ServicerContext) -> pb.Room:
        given = request.room
        room = Room(
            id=given.room, name=given.name, unit=given.unit, location=given.location, capacity=given.capacity,
            equipment=given.equipment, shared=given.shared, closed=given.closed,
        )  # fmt: skip
        return _room(queries.save_room(self._records, caller(), request_of(request), room, given.etag))

    def GetCalendar(self, request: pb.GetCalendarRequest, _: grpc.ServicerContext) -> pb.GetCalendarResponse:
        asked = (request.room, request.date, request.days)
        rooms, shown, first, days = queries.calendar(self._records, caller(), *asked)
        return pb.GetCalendarResponse(
            rooms=map(_room, rooms), bookings=map(_booking, shown), date=first.isoformat(), days=days
        )

    def ListAvailability(
        self, request: pb.ListAvailabilityRequest, _: grpc.ServicerContext
    ) -> pb.ListAvailabilityResponse:
        found = queries.availability(
            self._records, self._directory, caller(), _span(request), request.meeting
        )
        rows = [
            pb.Availability(room=_room(room), free=not taken, taken_by=map(_booking, taken))
            for room, taken in found
        ]
        return pb.ListAvailabilityResponse(rooms=rows)

    def ListMeetings(
        self, request: pb.ListMeetingsRequest, _: grpc.ServicerContext
    ) -> pb.ListMeetingsResponse:
        listing = queries.list_meetings(
            self._registry, caller(), past=request.past, words=request.words, since=moment(request.since),
            until=moment(request.until), organised=request.organised, size=bounds.page_size(request.page_size, 20, 200), after=request.page_token,
        )  # fmt: skip
        rows = [_row(key, row) for key, row in listing.rows]
        return pb.ListMeetingsResponse(meetings=rows, next_page_token=listing.next, total=listing.total)

    def GetMeeting(self, request: pb.GetMeetingRequest, _: grpc.ServicerContext) -> pb.Meeting:
        return _meeting(commands.access_meeting(self._records.meetings.get(request.meeting), caller()))

    def CallMeeting(self, request: pb.CallMeetingRequest, _: grpc.ServicerContext) -> pb.Meeting:
        return self._saved(
            commands.call_meeting(
                self._records,
                self._desk,
                self._directory,
                caller(),
                request_of(request),
                _announced(request),
                request.unit,
            )
        )

    def ChangeMeeting(self, request: pb.ChangeMeetingRequest, _: grpc.ServicerContext) -> pb.Meeting:
        return self._saved(
            commands.change_meeting(
                self._records, self._desk, self._directory, caller(), request_of(request), request.meeting,
                _announced(request),
            )
        )  # fmt: skip

    def CancelMeeting(self, request: pb.CancelMeetingRequest, _: grpc.ServicerContext) -> pb.Meeting:
        which = {"key": request.meeting, "reason": request.reason}
        return self._saved(
            commands.cancel_meeting(self._records, self._desk, caller(), request_of(request), **which)
        )

    def AnswerInvitation(self, request: pb.AnswerInvitationRequest, _: grpc.ServicerContext) -> pb.Meeting:
        answer = Answer(
            request.attend, tuple(dict.fromkeys(request.attendees)), request.names, request.reason
        )
        return self._saved(
            commands.answer_invitation(
                self._records, self._directory, caller(), request_of(request), key=request.meeting,
                number=request.invitation, answer=answer,
            )
        )  # fmt: skip

    def MarkRead(self, request: pb.MarkReadRequest, _: grpc.ServicerContext) -> pb.Meeting:
        return _meeting(commands.mark_read(self._records, caller(), request_of(request), request.meeting))

    def UrgeReceipts(self, request: pb.UrgeReceiptsRequest, _: grpc.ServicerContext) -> pb.Meeting:
        which = {"key": request.meeting, "message": request.message}
        return _meeting(commands.urge_receipts(self._records, caller(), request_of(request), **which))

    def _saved(self, meeting: Meeting) -> pb.Meeting:
        self._registry.saw(meeting)
        return _meeting(meeting)


def _span(request: Any) -> Span:
    start, end = moment(request.starts_at), moment(request.ends_at)
    if start is None or end is None:
        raise invalid(starts_at="请填写会议的开始和结束时间。")
    return span(start, end)


def _announced(request: Any) -> Announced:
    return Announced(
        title=request.title, agenda=request.agenda, span=_span(request), room=request.room, place=request.place,
        reply_by=moment(request.reply_by), participants=list(request.participants),
    )  # fmt: skip


def _room(room: Room) -> pb.Room:
    return pb.Room(
        room=room.id, name=room.name, unit=room.unit, location=room.location, capacity=room.capacity,
        equipment=room.equipment, shared=room.shared, closed=room.closed, etag=str(room.revision),
    )  # fmt: skip


def _booking(shown: queries.Shown) -> pb.Booking:
    one, meeting = shown.booking, shown.meeting
    return pb.Booking(
        room=shown.room, starts_at=stamp(one.start), ends_at=stamp(one.end), unit=one.unit, organiser=one.by,
        meeting=meeting.id if meeting else "", title=meeting.notice.title if meeting else "",
    )  # fmt: skip


def _row(key: str, row: dict[str, Any]) -> pb.MeetingRow:
    return pb.MeetingRow(
        meeting=key, title=row["title"], starts_at=stamp(from_micros(row["start"])), ends_at=stamp(from_micros(row["end"])),
        place=row["place"], organiser=row["organiser"], organiser_unit=row["organiser_unit"], state=row["state"],
        invited=row["invited"], answered=row["answered"],
        mine_open=row["state"] == "called" and not caller().tokens.isdisjoint(row["open"]),
    )  # fmt: skip


def _meeting(meeting: Meeting) -> pb.Meeting:
    notice, principal = meeting.notice, caller()
    return pb.Meeting(
        meeting=meeting.id, title=notice.title, agenda=notice.agenda, starts_at=stamp(notice.span.start),
        ends_at=stamp(notice.span.end), room=notice.room, place=notice.place, organiser=meeting.organiser,
        organiser_unit=meeting.organiser_unit, state=meeting.state, reason=meeting.reason,
        invitations=[_invitation(one, principal) for one in meeting.invitations],
        changes=[pb.Change(at=stamp(one.at), by=one.by, text=one.text) for one in meeting.changes],
        reply_by=stamp(notice.reply_by), etag=str(meeting.revision), created_at=stamp(meeting.created_at),
        may_manage=meeting.state == "called" and commands.may_manage(meeting, principal),
    )  # fmt: skip


def _invitation(one: Invitation, principal: Principal) -> pb.Invitation:
    return pb.Invitation(
        number=one.number, holder=one.holder, state=one.state, attendees=one.attendees, names=one.names,
        reason=one.reason, answered_by=one.answered_by, answered_at=stamp(one.answered_at), read_by=one.read_by,
        read_at=stamp(one.read_at), mine=one.state != "withdrawn" and one.holder in principal.tokens,
    )  # fmt: skip
