"""What is announced of a meeting, what is answered, and the news that come of both."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from chassis.errors import invalid
from chassis.times import SHANGHAI
from services.meetings.model.day import Span

TITLE, AGENDA, PLACE, NOTE, INVITED = 200, 20_000, 200, 500, 300
EARLIER = timedelta(minutes=15)  # a meeting may be entered while it begins
LATEST = timedelta(days=366)


@dataclass(frozen=True)
class Notice:
    """What is announced. room: '' when `place` says where."""

    title: str
    agenda: str
    span: Span
    room: str
    place: str
    reply_by: datetime | None

    @property
    def where_and_when(self) -> tuple[Span, str, str]:
        """What a receipt is about: when this differs, everybody is asked anew."""
        return self.span, self.room, "" if self.room else self.place

    def check(self, now: datetime, before: Notice | None = None) -> None:
        """Raise InvalidInput unless this can be announced; `before` is what was announced until now."""
        wrong: dict[str, str] = {}
        if not 1 <= len(self.title.strip()) <= TITLE:
            wrong["title"] = f"请填写会议名称，不超过{TITLE}字。"
        if len(self.agenda) > AGENDA:
            wrong["agenda"] = f"议程不能超过{AGENDA}字。"
        if self.span.start < now - EARLIER:
            wrong["starts_at"] = "会议时间已经过去，请重新选择。"
        if self.span.start > now + LATEST:
            wrong["starts_at"] = "只能预订一年以内的会议。"
        if not self.room and not 1 <= len(self.place.strip()) <= PLACE:
            wrong["place"] = f"请选择会议室，或填写会议地点（不超过{PLACE}字）。"
        kept = before is not None and self.reply_by == before.reply_by
        if self.reply_by is not None and not kept and not now < self.reply_by <= self.span.start:
            wrong["reply_by"] = "回执截止时间应在现在之后、开会之前。"
        if wrong:
            raise invalid(**wrong)

    def difference(self, new: Notice) -> list[str]:
        """What `new` changes, in words."""
        said = []
        if self.span != new.span:
            start, end = (moment.astimezone(SHANGHAI) for moment in (new.span.start, new.span.end))
            said.append(f"时间改为{start.month}月{start.day}日{start:%H:%M}–{end:%H:%M}")
        if (self.room, self.place) != (new.room, new.place):
            said.append(f"地点改为{new.place}")
        if self.title != new.title:
            said.append("名称有修改")
        if self.agenda != new.agenda:
            said.append("议程有修改")
        return said


@dataclass(frozen=True)
class Answer:
    """A receipt."""

    attend: bool
    attendees: tuple[str, ...]
    names: str
    reason: str

    def check(self) -> None:
        """Raise InvalidInput unless it says who comes or why nobody does."""
        if self.attend and not self.attendees and not self.names.strip():
            raise invalid(attendees="请填写参会人员。")
        if not self.attend and not self.reason.strip():
            raise invalid(reason="请填写不能参会的原因。")
        if len(self.names) > NOTE or len(self.reason) > NOTE or len(self.attendees) > INVITED:
            raise invalid(names=f"内容不能超过{NOTE}字。")


@dataclass(frozen=True)
class Opened:
    """News: something is owed (a receipt, as a rule), or what it is about has changed."""

    obligation: str
    sequence: int
    holder: str
    at: datetime
    kind: str = "meetings.receipt"
    action: str = "会议回执"


@dataclass(frozen=True)
class Closed:
    """News: it is owed no more."""

    obligation: str
    sequence: int
    outcome: str
    by: str
    at: datetime


@dataclass(frozen=True)
class Urged:
    """News: an answer was asked for again."""

    obligation: str
    urging: str
    by: str
    message: str
    at: datetime


@dataclass(frozen=True)
class Scheduled:
    """News: time, place or state are now as the meeting says."""
