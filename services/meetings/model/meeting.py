"""A meeting: what was announced, who is invited, who answered what."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from chassis.aggregate import Aggregate, Request
from chassis.errors import invalid, wrong_state
from services.meetings.model.notice import INVITED, NOTE, Answer, Closed, Notice, Opened, Scheduled, Urged

CHANGES = 100
URGE_PAUSE = timedelta(minutes=10)


@dataclass
class Invitation:
    """One invited unit or person. state: open, attending, declined, withdrawn; round: counts the notices that ask for an answer."""

    number: int
    holder: str
    asked_at: datetime
    state: str = "open"
    round: int = 1
    sequence: int = 1
    attendees: list[str] = field(default_factory=list)
    names: str = ""
    reason: str = ""
    answered_by: str = ""
    answered_at: datetime | None = None
    read_by: str = ""
    read_at: datetime | None = None


@dataclass(frozen=True)
class Change:
    """One line of the meeting's history."""

    at: datetime
    by: str
    text: str


@dataclass(kw_only=True)
class Meeting(Aggregate):
    """See the module. state: called, cancelled, over.

    number: version of the schedule; claim: of the booking that holds now ('' without a room); touched: the room days in which a
    claim of this meeting may ever have stood; seeking: the obligation to choose another room, while there is one.
    """

    notice: Notice
    organiser: str
    organiser_unit: str
    created_at: datetime
    number: int = 1
    claim: str = ""
    touched: list[str] = field(default_factory=list)
    state: str = "called"
    reason: str = ""
    urged_at: datetime | None = None
    seeking: str = ""
    invitations: list[Invitation] = field(default_factory=list)
    changes: list[Change] = field(default_factory=list)

    def call(self, holders: list[str], now: datetime) -> None:
        """Announce it for the first time."""
        self.notice.check(now)
        if not 1 <= len(holders) <= INVITED:
            raise invalid(participants=f"请选择参会单位或人员，不超过{INVITED}个。")
        for holder in dict.fromkeys(holders):
            self._invite(holder, now)
        self.tell(Scheduled())

    def change(
        self, notice: Notice, claim: str, day: str, holders: list[str], by: str, now: datetime
    ) -> None:
        """Announce what is different. Another time or place asks everybody anew; a further invitation asks only the new ones."""
        self._must_be_called()
        notice.check(now, self.notice)
        if not 1 <= len(set(holders)) <= INVITED:
            raise invalid(participants=f"请选择参会单位或人员，不超过{INVITED}个。")
        moved = notice.where_and_when != self.notice.where_and_when
        said = self.notice.difference(notice)
        self.notice, self.number, self.claim = notice, self.number + 1, claim
        self._found(by, now)
        if day and day not in self.touched:
            self.touched.append(day)
        wanted = list(dict.fromkeys(holders))
        there = {one.holder: one for one in self.invitations if one.state != "withdrawn"}
        for one in there.values():
            if one.holder not in wanted:
                self._withdraw(one, by, now)
            elif moved or one.state == "open":
                self._ask_again(one, now)
        for holder in wanted:
            if holder not in there:
                self._invite(holder, now)
        added, removed = len(set(wanted) - set(there)), len(set(there) - set(wanted))
        said += [f"增加{added}个参会对象"] * (added > 0) + [f"取消{removed}个参会对象"] * (removed > 0)
        if said:
            self.changes = [*self.changes, Change(now, by, "；".join(said))][-CHANGES:]
        self.tell(Scheduled())

    def cancel(self, by: str, reason: str, now: datetime) -> None:
        """Call it off: the room is free again, no receipt is owed any more."""
        self._must_be_called()
        if not 1 <= len(reason.strip()) <= NOTE:
            raise invalid(reason=f"请填写取消原因，不超过{NOTE}字。")
        for one in self.invitations:
            if one.state == "open":
                self._close(one, "withdrawn", by, now)
        self._found(by, now)
        self.state, self.reason, self.claim, self.number = "cancelled", reason.strip(), "", self.number + 1
        self.changes = [*self.changes, Change(now, by, "取消会议")]
        self.tell(Scheduled())

    def lose_room(self, claim: str, now: datetime) -> bool:
        """The room was let to others before this claim had been saved: the organiser owes another choice."""
        if self.state != "called" or self.claim != claim or not self.notice.room:
            return False
        self.notice = replace(self.notice, room="", place="地点待定（原会议室已被占用）")
        self.claim, self.number = "", self.number + 1
        self.changes = [*self.changes, Change(now, "", "原会议室已被占用，请重新选择地点")]
        self.seeking = f"meetings|{self.id}|room|{self.number}"
        self.tell(Opened(self.seeking, 1, f"p:{self.organiser}", now, "meetings.room", "另选会议室"))
        self.tell(Scheduled())
        return True

    def conclude(self, now: datetime) -> bool:
        """After its end: what was not answered is not owed any more. False when it is not over yet, or was concluded."""
        if self.state != "called" or now < self.notice.span.end:
            return False
        for one in self.invitations:
            if one.state == "open":
                self._close(one, "withdrawn", "", now)
        self._found("", now)
        self.state = "over"
        return True

    def invitation(self, number: int, tokens: frozenset[str]) -> Invitation:
        """The invitation with this number that these tokens answer for, or their first one when it is 0.

        Raises WrongState when there is none.
        """
        own = [one for one in self.invitations if one.holder in tokens and one.state != "withdrawn"]
        for one in own:
            if number == one.number or (number == 0 and (one.state == "open" or one is own[-1])):
                return one
        raise wrong_state(
            "您不在该会议的参会范围内。",
            "NOT_INVITED",
            "You do not answer for any invitation of this meeting.",
        )

    def answer(self, one: Invitation, answer: Answer, by: str, now: datetime) -> None:
        """Take a receipt; it may be changed until the meeting begins."""
        self._must_be_called()
        answer.check()
        if now >= self.notice.span.start:
            raise wrong_state("会议已经开始，不能再提交回执。", "MEETING_BEGAN", "The meeting has begun.")
        if one.state == "open":
            self._close(one, "done", by, now)
        one.state = "attending" if answer.attend else "declined"
        one.attendees = list(answer.attendees) if answer.attend else []
        one.names, one.reason = answer.names.strip() if answer.attend else "", answer.reason.strip()
        one.answered_by, one.answered_at = by, now
        self.read(one, by, now)

    def read(self, one: Invitation, by: str, now: datetime) -> bool:
        """Note who read the present notice first; False when somebody had."""
        if one.read_at is not None:
            return False
        one.read_by, one.read_at = by, now
        return True

    def urge(self, request: Request, by: str, message: str, now: datetime) -> None:
        """Ask all who have not answered."""
        self._must_be_called()
        waiting = [one for one in self.invitations if one.state == "open"]
        if not waiting:
            raise wrong_state("所有参会单位都已回执。", "ALL_ANSWERED", "Everybody has answered.")
        if self.urged_at is not None and now - self.urged_at < URGE_PAUSE:
            raise wrong_state(
                "刚刚已经催办过，请十分钟后再催。", "URGED_JUST_NOW", "They were urged a moment ago."
            )
        if len(message) > 200:
            raise invalid(message="催办内容不能超过200字。")
        self.urged_at = now
        for one in waiting:
            self.tell(
                Urged(self.obligation(one), request.new_id(f"urge-{one.number}-"), by, message.strip(), now)
            )

    def obligation(self, one: Invitation) -> str:
        """The id of the obligation that an invitation is; another one after each round, since a closed one stays closed."""
        return f"meetings|{self.id}|{one.number}|{one.round}"

    def audience(self) -> list[str]:
        """Tokens of those in whose calendar it stands."""
        tokens = {f"p:{self.organiser}"}
        for one in self.invitations:
            if one.state in ("open", "attending"):
                tokens |= {one.holder, *(f"p:{person}" for person in one.attendees)}
        return sorted(tokens)

    def _must_be_called(self) -> None:
        if self.state != "called":
            sentence = "会议已经取消。" if self.state == "cancelled" else "会议已经结束。"
            raise wrong_state(sentence, "MEETING_NOT_OPEN", "The meeting is cancelled or over.")

    def _invite(self, holder: str, now: datetime) -> None:
        one = Invitation(len(self.invitations) + 1, holder, now)
        self.invitations.append(one)
        self.tell(Opened(self.obligation(one), one.sequence, holder, now))

    def _found(self, by: str, now: datetime) -> None:
        if self.seeking:
            self.tell(Closed(self.seeking, 2, "done", by, now))
            self.seeking = ""

    def _ask_again(self, one: Invitation, now: datetime) -> None:
        if one.state == "open":
            one.sequence += 1
        else:
            one.round, one.sequence, one.state, one.asked_at = one.round + 1, 1, "open", now
        one.read_by, one.read_at = "", None
        self.tell(Opened(self.obligation(one), one.sequence, one.holder, one.asked_at))

    def _withdraw(self, one: Invitation, by: str, now: datetime) -> None:
        if one.state == "open":
            self._close(one, "withdrawn", by, now)
        one.state = "withdrawn"

    def _close(self, one: Invitation, outcome: str, by: str, now: datetime) -> None:
        one.sequence += 1
        self.tell(Closed(self.obligation(one), one.sequence, outcome, by, now))
