"""What this service publishes, what it takes in, and what it does by the clock."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from datetime import datetime
from typing import Any

from google.protobuf.message import Message
from tongban.events.v1 import meeting_pb2, obligation_pb2

from chassis import clock, loops
from chassis.consumer import Consumer, Event
from chassis.times import SHANGHAI, stamp
from services.meetings.booking import BookingDesk
from services.meetings.model import Closed, Meeting, Opened, Scheduled, Urged

TICK = 20.0  # seconds between two looks at holds and ends


def to_wire(meeting: Meeting, event: Opened | Closed | Urged | Scheduled) -> Message:
    """A meeting's news as messages."""
    if isinstance(event, Opened):
        return _opened(meeting, event)
    if isinstance(event, Closed):
        return obligation_pb2.ObligationClosed(
            obligation=event.obligation,
            sequence=event.sequence,
            outcome=event.outcome,
            by=event.by,
            at=stamp(event.at),
        )
    if isinstance(event, Urged):
        return obligation_pb2.ObligationUrged(
            obligation=event.obligation,
            urging=event.urging,
            by=event.by,
            message=event.message,
            at=stamp(event.at),
        )
    notice = meeting.notice
    return meeting_pb2.MeetingScheduled(
        meeting=meeting.id, number=meeting.number, state=meeting.state, title=notice.title,
        starts_at=stamp(notice.span.start), ends_at=stamp(notice.span.end), place=notice.place,
        organiser=meeting.organiser, organiser_unit=meeting.organiser_unit, audience=meeting.audience(),
    )  # fmt: skip


def consumers(desk: BookingDesk) -> list[Consumer]:
    """What `work` listens to: its own schedule, so that what a save left undone is finished."""

    def scheduled(event: Event) -> None:
        desk.settle(event.message.meeting)

    subject = "tongban.*.v1.meeting.scheduled"
    return [Consumer("rooms", {subject: (meeting_pb2.MeetingScheduled, scheduled)}, "会议室占用")]


async def by_the_clock(desk: BookingDesk, pause: float = TICK) -> None:
    """Look at holds and ends for ever."""

    def again_and_again(look: Callable[[datetime], int]) -> Coroutine[Any, Any, None]:
        return loops.for_ever(
            lambda: asyncio.to_thread(lambda: look(clock.now())),
            pause,
            pause,
            trouble=f"{look.__name__}: looked in vain",
        )

    await asyncio.gather(again_and_again(desk.recover), again_and_again(desk.conclude))


def mend(desk: BookingDesk) -> Callable[[Any], None]:
    """A meeting of those for whom a backup is put back has its room, or is told that it lost it."""

    def settle(one: Any) -> None:
        if isinstance(one, Meeting):
            desk.settle(one.id)

    return settle


def _opened(meeting: Meeting, event: Opened) -> Message:
    start = meeting.notice.span.start.astimezone(SHANGHAI)
    room = meeting.notice.place.partition("（")[0]  # a line of a list has no space for the floor as well
    return obligation_pb2.ObligationOpened(
        obligation=event.obligation, sequence=event.sequence, holder=event.holder, kind=event.kind, action=event.action,
        title=f"{meeting.notice.title}（{start.month}月{start.day}日{start:%H:%M} {room}）",
        link=f"/meetings/meeting/{meeting.id}", sender=meeting.organiser, sender_unit=meeting.organiser_unit,
        opened_at=stamp(event.at), due_at=stamp(meeting.notice.reply_by or meeting.notice.span.start), matter=meeting.id,
    )  # fmt: skip
