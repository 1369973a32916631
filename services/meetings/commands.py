"""What a user can do with meetings: call, change, cancel, answer, mark as read, urge. Rooms and lists: queries.py."""

from __future__ import annotations

import contextlib
import uuid
from collections.abc import Iterator
from functools import partial

from chassis import clock
from chassis.aggregate import Request
from chassis.directory import Directory
from chassis.errors import changed_meanwhile, forbidden, invalid, not_found, wrong_state
from chassis.identity_types import Principal
from services.meetings.booking import BookingDesk, booking_of
from services.meetings.model import Answer, Meeting, RoomTaken
from services.meetings.places import Announced, notice_of, taken_sentence
from services.meetings.registry import MANAGING, readers
from services.meetings.repository import Records


def call_meeting(
    records: Records, desk: BookingDesk, directory: Directory, principal: Principal, request: Request,
    announced: Announced, unit: str,
) -> Meeting:  # fmt: skip
    """Book the room, announce the meeting, ask for receipts.

    Raises InvalidInput; WrongState (ROOM_TAKEN) that says who has the room; Forbidden.
    """
    if unit and unit not in principal.units:
        raise forbidden("您不在该单位任职，不能以其名义召集会议。")
    unit, now = unit or principal.unit, clock.now()
    known = records.meetings.find(request.new_id())
    if known is not None and request.seen(known):
        return known
    meeting = Meeting(
        id=request.new_id(), notice=notice_of(records, directory, announced, unit), organiser=principal.person,
        organiser_unit=unit, created_at=now,
    )  # fmt: skip
    meeting.call(holders(directory, announced.participants), now)
    with _room(desk, directory, meeting, meeting.number) as (claim, day):
        meeting.claim, meeting.touched = claim, [day] if day else []
        saved = records.meetings.add(meeting, request)
        _not_ours(desk, saved, claim, day)
    return saved


def change_meeting(
    records: Records, desk: BookingDesk, directory: Directory, principal: Principal, request: Request,
    key: str, announced: Announced,
) -> Meeting:  # fmt: skip
    """Announce what is different; a new time or room is claimed first, and the old one given back after the save."""
    access = partial(access_manage, principal=principal)
    # Read first, since a room is claimed before the save: who may not change the meeting may not hold a room for it either.
    current = records.meetings.get(key)
    access(current)
    if request.seen(current):
        return current
    notice, number = notice_of(records, directory, announced, current.organiser_unit), current.number
    to = holders(directory, announced.participants)
    same_place = (notice.room, notice.span) == (current.notice.room, current.notice.span)

    def save(claim: str, day: str) -> Meeting:
        def step(meeting: Meeting) -> None:
            if meeting.number != number:
                raise changed_meanwhile()
            meeting.change(notice, claim, day, to, principal.person, clock.now())

        return records.meetings.change(key, request, step, access)

    if same_place:
        return save(current.claim, "")
    wanted = Meeting(
        id=key,
        notice=notice,
        organiser=current.organiser,
        organiser_unit=current.organiser_unit,
        created_at=current.created_at,
    )
    with _room(desk, directory, wanted, number + 1) as (claim, day):
        saved = save(claim, day)
        _not_ours(desk, saved, claim, day)
    desk.settle(key)
    return saved


def cancel_meeting(
    records: Records, desk: BookingDesk, principal: Principal, request: Request, *, key: str, reason: str
) -> Meeting:
    """Call it off and free the room."""

    def step(meeting: Meeting) -> None:
        meeting.cancel(principal.person, reason, clock.now())

    saved = records.meetings.change(key, request, step, partial(access_manage, principal=principal))
    desk.settle(key)
    return saved


def answer_invitation(
    records: Records,
    directory: Directory,
    principal: Principal,
    request: Request,
    *,
    key: str,
    number: int,
    answer: Answer,
) -> Meeting:
    """Give the receipt of a unit or one's own."""
    if any(directory.person(person) is None for person in answer.attendees):
        raise invalid(attendees="所选的参会人员不存在，请重新选择。")

    def step(meeting: Meeting) -> None:
        one = meeting.invitation(number, principal.tokens)
        meeting.answer(one, answer, principal.person, clock.now())

    return records.meetings.change(key, request, step, partial(access_meeting, principal=principal))


def mark_read(records: Records, principal: Principal, request: Request, key: str) -> Meeting:
    """Note that the caller has seen the present notice, where the caller answers for an invitation."""
    # Looked at first, since most who open a meeting have nothing to note any more.
    current = access_meeting(records.meetings.get(key), principal)
    if all(one.read_at is not None for one in current.invitations if one.holder in principal.tokens):
        return current

    def step(meeting: Meeting) -> None:
        for one in meeting.invitations:
            if one.holder in principal.tokens:
                meeting.read(one, principal.person, clock.now())

    return records.meetings.change(key, request, step, partial(access_meeting, principal=principal))


def urge_receipts(
    records: Records, principal: Principal, request: Request, *, key: str, message: str
) -> Meeting:
    """Ask all who have not answered."""

    def step(meeting: Meeting) -> None:
        meeting.urge(request, principal.person, message, clock.now())

    return records.meetings.change(key, request, step, partial(access_manage, principal=principal))


def access_meeting(meeting: Meeting, principal: Principal) -> Meeting:
    """The meeting, if the caller may see it.

    Raises NotFound.
    """
    if principal.tokens.isdisjoint(readers(meeting)):
        raise not_found("会议")
    return meeting


def access_manage(meeting: Meeting, principal: Principal) -> None:
    """Only who called it and who answers for the organising unit may change it.

    Raises NotFound or Forbidden.
    """
    access_meeting(meeting, principal)
    if not may_manage(meeting, principal):
        raise forbidden("只有会议召集人和召集单位的文书、负责人可以这样操作。")


def may_manage(meeting: Meeting, principal: Principal) -> bool:
    """Whether the caller called it or answers for the organising unit."""
    return meeting.organiser == principal.person or any(
        principal.has_post(meeting.organiser_unit, role) for role in MANAGING
    )


def holders(directory: Directory, participants: list[str]) -> list[str]:
    """Participants as holders of receipts: a person stays, a unit becomes its registrars.

    Raises InvalidInput for whom the directory does not know.
    """
    found: list[str] = []
    for token in participants:
        holder = directory.answering(token)
        if holder is None:
            raise invalid(participants="所选的参会单位或人员不存在，或已停用，请重新选择。")
        if not holder:
            raise invalid(
                participants=f"{directory.unit_name(token[2:])}还没有设置文书，请直接选择参会人员。"
            )
        found.append(holder)
    return found


@contextlib.contextmanager
def _room(
    desk: BookingDesk, directory: Directory, meeting: Meeting, number: int
) -> Iterator[tuple[str, str]]:
    """Hold the meeting's room, if it needs one; yields (claim, day), or ('', '')."""
    if not meeting.notice.room:
        yield "", ""
        return
    claim = f"{meeting.id}/{number}/{uuid.uuid4().hex[:12]}"
    try:
        with desk.claimed(meeting.notice.room, booking_of(meeting, claim, number)) as day:
            yield claim, day
    except RoomTaken as taken:
        refusal = wrong_state(
            taken_sentence(directory, taken), "ROOM_TAKEN", "The room is taken at that time."
        )
        refusal.fields["room"] = refusal.zh
        raise refusal from taken


def _not_ours(desk: BookingDesk, saved: Meeting, claim: str, day: str) -> None:
    # The same request ran twice at once and the other one was first: its claim holds, ours goes back.
    if claim and saved.claim != claim:
        desk.give_back(day, claim)
