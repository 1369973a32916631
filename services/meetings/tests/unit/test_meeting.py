"""A meeting as a state machine: what its invitations owe always agrees with the events it told."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from chassis.aggregate import Request
from chassis.errors import InvalidInput, WrongState
from services.meetings.model import Answer, Closed, Meeting, Notice, Opened, Span, Urged

NOW = datetime(2026, 11, 20, 1, tzinfo=UTC)
START = datetime(2026, 12, 1, 1, tzinfo=UTC)
HOLDERS = ["u:fgw:registrar", "u:czj:registrar", "p:a", "p:b"]
COMES = Answer(True, ("a",), "", "")
STAYS = Answer(False, (), "", "另有安排")


def notice(**how):
    span = Span(START, START + timedelta(hours=2))
    return replace(Notice("经济运行分析会", "一、通报情况", span, "room-1", "第一会议室", None), **how)


def called(holders=HOLDERS):
    meeting = Meeting(
        id="m",
        notice=notice(),
        organiser="boss",
        organiser_unit="zfb",
        created_at=NOW,
        claim="c1",
        touched=["d1"],
    )
    meeting.call(holders, NOW)
    return meeting


class Life(RuleBasedStateMachine):
    @initialize(holders=st.lists(st.sampled_from(HOLDERS), min_size=1, max_size=4))
    def begin(self, holders):
        self.meeting = called(holders)
        self.owed: dict[str, str] = {}
        self.sequence: dict[str, int] = {}
        self.over: set[str] = set()

    def act(self, act, *arguments):
        state = self.meeting.state
        try:
            act(*arguments)
        except WrongState:
            return
        assert state == "called"

    @rule(holder=st.sampled_from(HOLDERS), comes=st.booleans())
    def answer(self, holder, comes):
        meeting = self.meeting
        self.act(
            lambda: meeting.answer(
                meeting.invitation(0, frozenset({holder})), COMES if comes else STAYS, "x", NOW
            )
        )

    @rule(
        hours=st.integers(0, 3),
        holders=st.lists(st.sampled_from(HOLDERS), min_size=1, max_size=4),
        title=st.sampled_from("甲乙"),
    )
    def change(self, hours, holders, title):
        later = timedelta(hours=hours)
        moved = notice(title=title, span=Span(START + later, START + later + timedelta(hours=1)))
        self.act(self.meeting.change, moved, f"c{hours}", "d1", holders, "boss", NOW)

    @rule()
    def lose_room(self):
        self.meeting.lose_room(self.meeting.claim, NOW)

    @rule()
    def cancel(self):
        self.act(self.meeting.cancel, "boss", "情况变化", NOW)

    @rule()
    def conclude(self):
        # The clock of the others stands still, so it is only tried before the end.
        assert not self.meeting.conclude(NOW)

    @invariant()
    def obligations_agree(self):
        if not hasattr(self, "meeting"):
            return
        for news in self.meeting.news:
            if not isinstance(news, Opened | Closed):
                continue
            assert news.sequence > self.sequence.get(news.obligation, 0)
            self.sequence[news.obligation] = news.sequence
            assert news.obligation not in self.over
            if isinstance(news, Opened):
                self.owed[news.obligation] = news.holder
            else:
                del self.owed[news.obligation]
                self.over.add(news.obligation)
        self.meeting.news.clear()
        expected = {}
        if self.meeting.state == "called":
            expected = {
                self.meeting.obligation(one): one.holder
                for one in self.meeting.invitations
                if one.state == "open"
            }
        if self.meeting.seeking:
            expected[self.meeting.seeking] = "p:boss"
        assert self.owed == expected
        assert bool(self.meeting.claim) <= bool(self.meeting.notice.room)


TestLife = Life.TestCase


def test_another_time_asks_everybody_anew_and_another_title_does_not():
    meeting = called()
    meeting.answer(meeting.invitations[0], COMES, "w", NOW)
    meeting.news.clear()
    meeting.change(notice(title="改名"), "c1", "", HOLDERS, "boss", NOW)
    assert meeting.invitations[0].state == "attending"
    assert {news.obligation for news in meeting.news if isinstance(news, Opened)} == {
        f"meetings|m|{number}|1" for number in (2, 3, 4)
    }
    meeting.change(
        notice(span=Span(START + timedelta(days=1), START + timedelta(days=1, hours=1))),
        "c2",
        "d2",
        HOLDERS,
        "boss",
        NOW,
    )
    assert meeting.invitations[0].state == "open"
    assert meeting.obligation(meeting.invitations[0]) == "meetings|m|1|2"
    assert [change.text for change in meeting.changes] == [
        "名称有修改",
        "时间改为12月2日09:00–10:00；名称有修改",
    ]
    assert meeting.touched == ["d1", "d2"]


def test_an_open_receipt_keeps_its_clock_through_a_change():
    meeting = called(["p:a"])
    meeting.news.clear()
    meeting.change(notice(title="改名"), "c1", "", ["p:a"], "boss", NOW + timedelta(days=1))
    again = next(news for news in meeting.news if isinstance(news, Opened))
    assert (again.obligation, again.sequence, again.at) == ("meetings|m|1|1", 2, NOW)


def test_after_its_end_nothing_is_owed():
    meeting = called(["p:a", "p:b"])
    meeting.answer(meeting.invitations[0], STAYS, "a", NOW)
    meeting.news.clear()
    assert meeting.conclude(START + timedelta(hours=3))
    assert [(news.obligation, news.outcome) for news in meeting.news] == [("meetings|m|2|1", "withdrawn")]
    assert not meeting.conclude(START + timedelta(hours=3))


def test_urging_reaches_those_who_have_not_answered():
    meeting = called(["p:a", "p:b"])
    meeting.answer(meeting.invitations[0], COMES, "a", NOW)
    meeting.news.clear()
    meeting.urge(Request("r"), "boss", "请尽快回执", NOW)
    assert [(type(news), news.obligation) for news in meeting.news] == [(Urged, "meetings|m|2|1")]
    with pytest.raises(WrongState, match="URGED_JUST_NOW"):
        meeting.urge(Request("r2"), "boss", "", NOW + timedelta(minutes=5))
    meeting.answer(meeting.invitations[1], STAYS, "b", NOW)
    with pytest.raises(WrongState, match="ALL_ANSWERED"):
        meeting.urge(Request("r3"), "boss", "", NOW + timedelta(hours=1))


@pytest.mark.parametrize(
    ("how", "field"),
    [
        ({"title": ""}, "title"),
        ({"agenda": "长" * 20_001}, "agenda"),
        ({"room": "", "place": " "}, "place"),
        ({"span": Span(NOW - timedelta(hours=2), NOW)}, "starts_at"),
        ({"span": Span(NOW + timedelta(days=400), NOW + timedelta(days=400, hours=1))}, "starts_at"),
        ({"reply_by": START + timedelta(hours=1)}, "reply_by"),
    ],
)
def test_what_cannot_be_announced(how, field):
    with pytest.raises(InvalidInput) as refused:
        notice(**how).check(NOW)
    assert set(refused.value.fields) == {field}


def test_a_receipt_says_who_comes_or_why_nobody_does():
    for answer in (Answer(True, (), " ", ""), Answer(False, (), "", " ")):
        with pytest.raises(InvalidInput):
            answer.check()
    meeting = called(["p:a"])
    with pytest.raises(WrongState, match="MEETING_BEGAN"):
        meeting.answer(meeting.invitations[0], COMES, "a", START)
