"""A free task as a state machine: whatever people do, its obligations agree with its parts."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from chassis.errors import InvalidInput, WrongState
from services.tasks.model import Closed, Opened, Task

NOW = datetime(2026, 11, 20, 1, tzinfo=UTC)
people = st.sampled_from(["p:a", "p:b", "p:c"])


def create(assignees=("p:a",), **how):
    given = {"title": "报送总结", "text": "", "urgency": "", "due_at": None, **how}
    return Task.create("t", creator="boss", creator_unit="fgw", assignees=list(assignees), now=NOW, **given)


class Life(RuleBasedStateMachine):
    """# check 95 (tasks): obligations opened and closed by events are always those that the task's state implies."""

    @initialize(assignees=st.lists(people, min_size=1, max_size=3))
    def begin(self, assignees):
        self.task = create(assignees)
        self.open: dict[str, str] = {}
        self.ever: set[str] = set()

    def act(self, act, *arguments):
        before = self.task.state
        try:
            act(*arguments)
        except WrongState:
            return
        assert before == "open"

    @rule(number=st.integers(0, 6), who=people)
    def complete(self, number, who):
        tokens = frozenset({who})
        self.act(lambda: self.task.complete(self.task.part(number, tokens), who, "已办", NOW))

    @rule(number=st.integers(0, 6), who=people)
    def give_back(self, number, who):
        tokens = frozenset({who})
        self.act(
            lambda: self.task.give_back(self.task.part(number, tokens), who, "fgw", "不属本科室职责", NOW)
        )

    @rule(number=st.integers(1, 6), to=st.lists(people, max_size=2))
    def settle(self, number, to):
        self.act(self.task.settle, number, to, "boss", NOW)

    @rule()
    def cancel(self):
        self.act(self.task.cancel, "boss", "情况变化", NOW)

    @invariant()
    def obligations_agree(self):
        if not hasattr(self, "task"):
            return
        for news in self.task.news:
            if isinstance(news, Opened):
                assert news.obligation not in self.ever
                self.ever.add(news.obligation)
                self.open[news.obligation] = news.holder
            elif isinstance(news, Closed):
                del self.open[news.obligation]
        self.task.news.clear()
        expected = {}
        for part in self.task.assignments:
            if part.state == "open":
                expected[self.task.obligation(part)] = part.holder
            elif part.state == "returned":
                expected[f"{self.task.obligation(part)}|answer"] = "p:boss"
        assert self.open == expected
        assert (self.task.state == "open") == bool(expected)


TestLife = Life.TestCase


@pytest.mark.parametrize(
    ("how", "field"),
    [
        ({"title": " "}, "title"),
        ({"title": "长" * 201}, "title"),
        ({"urgency": "很急"}, "urgency"),
        ({"due_at": NOW - timedelta(days=1)}, "due_at"),
        ({"assignees": ()}, "assignees"),
        ({"text": "长" * 20_001}, "text"),
    ],
)
def test_what_cannot_be_accepted(how, field):
    with pytest.raises(InvalidInput) as refused:
        create(**how)
    assert set(refused.value.fields) == {field}


def test_a_reason_is_needed_to_return_and_to_cancel():
    task = create()
    with pytest.raises(InvalidInput):
        task.give_back(task.assignments[0], "a", "fgw", " ", NOW)
    with pytest.raises(InvalidInput):
        task.cancel("boss", "", NOW)


def test_only_an_open_part_of_ones_own_can_be_worked_on():
    task = create(["p:a", "p:b"])
    with pytest.raises(WrongState):
        task.part(2, frozenset({"p:a"}))
    assert task.part(0, frozenset({"p:b"})).number == 2
