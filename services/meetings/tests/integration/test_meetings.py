"""Calling a meeting, receipts, changes, lists, calendar: through the gRPC door."""

from __future__ import annotations

import pytest
from tongban.events.v1 import meeting_pb2, obligation_pb2
from tongban.meetings.v1 import meetings_pb2 as pb

from chassis import clock
from chassis.errors import Forbidden, InvalidInput, NotFound, WrongState
from services.meetings.__main__ import of
from services.meetings.booking import BookingDesk
from services.meetings.tests.integration.conftest import AS, DAY, asked, call, new_room, rid, stamp
from tests.inprocess import eventually

pytestmark = pytest.mark.integration


def get(meetings, meeting, person):
    return meetings.call("GetMeeting", pb.GetMeetingRequest(meeting=meeting), AS[person])


def answer(meetings, meeting, person, **how):
    asked_ = pb.AnswerInvitationRequest(meeting=meeting, request_id=rid(), **how)
    return meetings.call("AnswerInvitation", asked_, AS[person])


def listed(meetings, person, **how):
    return {
        one.meeting: one
        for one in meetings.call(
            "ListMeetings", pb.ListMeetingsRequest(page_size=200, **how), AS[person]
        ).meetings
    }


def told(meetings, kind):
    """The messages of one kind that this service has published so far, out of the stream."""
    found = []

    async def read():
        js = meetings.parts.bus.bus.js
        from chassis.outbox import subject

        sub = await js.subscribe(
            subject(meetings.settings.service, kind.DESCRIPTOR.name), ordered_consumer=True
        )
        try:
            while True:
                found.append(kind.FromString((await sub.next_msg(timeout=0.3)).data))
        except TimeoutError:
            await sub.unsubscribe()

    meetings.parts.bus.run(read(), 20)
    return found


def test_calling_a_meeting_asks_everybody_for_a_receipt(meetings, room):
    made = call(meetings, room, title="安全生产会", agenda="一、通报\n二、部署", reply_by=stamp(-12))
    assert made.place == "第一会议室（三楼）"
    assert [one.holder for one in made.invitations] == ["u:fgw:registrar", "u:czj:registrar", "p:quzhang"]
    opened = eventually(
        lambda: (
            (
                found := [
                    one
                    for one in told(meetings, obligation_pb2.ObligationOpened)
                    if one.matter == made.meeting
                ]
            )
            and len(found) == 3
            and found
        )
    )
    assert opened[0].title == f"安全生产会（{DAY.month}月{DAY.day}日09:00 第一会议室）"
    assert (opened[0].action, opened[0].kind, opened[0].link) == (
        "会议回执",
        "meetings.receipt",
        f"/meetings/meeting/{made.meeting}",
    )
    assert opened[0].due_at == made.reply_by
    scheduled = eventually(
        lambda: [one for one in told(meetings, meeting_pb2.MeetingScheduled) if one.meeting == made.meeting]
    )
    assert set(scheduled[0].audience) == {"p:mishu", "p:quzhang", "u:fgw:registrar", "u:czj:registrar"}


def test_receipts_are_seen_by_the_organiser_and_close_what_is_owed(meetings, room):
    made = call(meetings, room)
    meetings.call("MarkRead", pb.MarkReadRequest(meeting=made.meeting, request_id=rid()), AS["cz-wenshu"])
    answer(meetings, made.meeting, "fg-wenshu", attend=True, attendees=["fg-juzhang"], names="王科长")
    answer(meetings, made.meeting, "quzhang", attend=False, reason="省里有会")
    seen = get(meetings, made.meeting, "mishu").invitations
    assert [(one.state, one.answered_by, one.read_by) for one in seen] == [
        ("attending", "fg-wenshu", "fg-wenshu"), ("open", "", "cz-wenshu"), ("declined", "quzhang", "quzhang"),
    ]  # fmt: skip
    closed = eventually(
        lambda: (
            (
                found := [
                    one
                    for one in told(meetings, obligation_pb2.ObligationClosed)
                    if made.meeting in one.obligation
                ]
            )
            and len(found) == 2
            and found
        )
    )
    assert {one.by for one in closed} == {"fg-wenshu", "quzhang"}
    # Who was named to come has the meeting in the calendar; who declined has it no more.
    eventually(lambda: made.meeting in listed(meetings, "fg-juzhang"))
    eventually(lambda: made.meeting not in listed(meetings, "quzhang"))
    assert listed(meetings, "cz-wenshu")[made.meeting].mine_open
    assert not listed(meetings, "fg-wenshu")[made.meeting].mine_open
    urged = meetings.call(
        "UrgeReceipts",
        pb.UrgeReceiptsRequest(meeting=made.meeting, message="请回执", request_id=rid()),
        AS["wenshu"],
    )
    assert urged.may_manage
    urgings = eventually(
        lambda: [
            one for one in told(meetings, obligation_pb2.ObligationUrged) if made.meeting in one.obligation
        ]
    )
    assert [one.obligation.split("|")[2] for one in urgings] == ["2"]


def test_another_time_asks_anew(meetings, room):
    made = call(meetings, room)
    answer(meetings, made.meeting, "fg-wenshu", attend=True, names="张三")
    moved = meetings.call(
        "ChangeMeeting",
        asked(pb.ChangeMeetingRequest, room, start=15, end=16, meeting=made.meeting, etag=""),
        AS["mishu"],
    )
    assert [one.state for one in moved.invitations] == ["open"] * 3
    assert moved.invitations[0].names == "张三"
    assert "15:00–16:00" in moved.changes[0].text
    dropped = asked(
        pb.ChangeMeetingRequest, room, start=15, end=16, meeting=made.meeting, participants=["u:fgw"]
    )
    assert [one.state for one in meetings.call("ChangeMeeting", dropped, AS["mishu"]).invitations] == [
        "open",
        "withdrawn",
        "withdrawn",
    ]
    with pytest.raises(NotFound):
        get(meetings, made.meeting, "cz-wenshu")


def test_who_may_see_and_who_may_act(meetings, room):
    made = call(meetings, room, participants=["p:keyuan"])
    for person in ("cz-wenshu", "quzhang", "fg-wenshu"):
        with pytest.raises(NotFound):
            get(meetings, made.meeting, person)
        with pytest.raises(NotFound):
            answer(meetings, made.meeting, person, attend=True, names="我")
    cancel = pb.CancelMeetingRequest(meeting=made.meeting, reason="x", request_id=rid())
    with pytest.raises(Forbidden):
        meetings.call("CancelMeeting", cancel, AS["keyuan"])
    with pytest.raises(WrongState, match="NOT_INVITED"):
        answer(meetings, made.meeting, "wenshu", attend=True, names="我")
    with pytest.raises(Forbidden):
        call(meetings, room, unit="fgw", day=2)
    assert meetings.call("CancelMeeting", cancel, AS["wenshu"]).state == "cancelled"
    with pytest.raises(WrongState):
        answer(meetings, made.meeting, "keyuan", attend=True, names="我")


@pytest.mark.parametrize(
    ("how", "field"),
    [
        ({"participants": []}, "participants"),
        ({"participants": ["p:nobody"]}, "participants"),
        ({"participants": ["all"]}, "participants"),
        ({"start": 23, "end": 25}, "ends_at"),
        ({"start": 10, "end": 9}, "ends_at"),
        ({"start": 9.1, "end": 10}, "starts_at"),
        ({"room": "nowhere"}, "room"),
        ({"room": ""}, "place"),
    ],
)
def test_what_is_refused(meetings, room, how, field):
    with pytest.raises(InvalidInput) as refused:
        call(meetings, **{"room": room, **how})
    assert set(refused.value.fields) == {field}


def test_rooms_belong_to_their_unit(meetings):
    own = new_room(meetings, shared=False, name="党组会议室")
    for person, kind in (("mishu", Forbidden), ("fg-wenshu", Forbidden)):
        change = pb.SaveRoomRequest(room=pb.Room(room=own, name="改名"), request_id=rid())
        with pytest.raises(kind):
            meetings.call("SaveRoom", change, AS[person])
    with pytest.raises(InvalidInput):
        call(meetings, own, by="fg-wenshu")
    call(meetings, own, by="mishu")
    with pytest.raises(InvalidInput):
        new_room(meetings, room="大写 ID")


def test_calendar_and_availability_show_who_has_a_room(meetings, room):
    made = call(meetings, room, start=9, end=11, participants=["p:keyuan"])
    date = DAY.date().isoformat()
    asked_ = pb.GetCalendarRequest(room=room, date=date, days=7)
    for person, title in (("mishu", made.title), ("keyuan", made.title), ("cz-wenshu", "")):
        shown = meetings.call("GetCalendar", asked_, AS[person])
        assert [(one.organiser, one.unit, one.title) for one in shown.bookings] == [("mishu", "zfb", title)]

    def free(**how):
        wanted = pb.ListAvailabilityRequest(starts_at=stamp(10), ends_at=stamp(12), **how)
        rooms = meetings.call("ListAvailability", wanted, AS["cz-wenshu"]).rooms
        return next(one.free for one in rooms if one.room.room == room)

    assert not free()
    assert free(meeting=made.meeting)


def test_lists_of_coming_and_past_meetings(meetings, room):
    late = call(meetings, room, day=3, title="后开的会")
    early = call(meetings, room, day=2, title="先开的会")
    eventually(lambda: {late.meeting, early.meeting} <= set(listed(meetings, "mishu")))
    rows = list(listed(meetings, "mishu"))
    assert rows.index(early.meeting) < rows.index(late.meeting)
    assert set(listed(meetings, "mishu", words="先开")) == {early.meeting}
    assert early.meeting in listed(meetings, "mishu", organised=True)
    assert early.meeting not in listed(meetings, "wenshu", organised=True)
    assert early.meeting not in listed(meetings, "mishu", past=True)
    kept = of(meetings.parts)
    eventually(lambda: any(end.id == early.meeting for end in kept.ends.scan()))
    BookingDesk(kept).conclude(kept.meetings.get(early.meeting).notice.span.end)
    assert get(meetings, early.meeting, "mishu").state == "over"
    assert get(meetings, late.meeting, "mishu").state == "called"
    assert clock.now() < kept.meetings.get(late.meeting).notice.span.start
