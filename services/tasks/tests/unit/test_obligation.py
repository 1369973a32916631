"""An obligation is a join: order and repetition of what is told do not matter."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chassis.aggregate import Request
from chassis.errors import WrongState
from services.tasks.model import Closing, Facts, Holding, Obligation, TodoList, Urging
from services.tasks.repository import PARTS, part_of

START = datetime(2026, 11, 2, 1, tzinfo=UTC)
times = st.integers(0, 100).map(lambda hours: START + timedelta(hours=hours))
sequences = st.integers(1, 6)
people = st.sampled_from(["p:a", "p:b", "u:fgw:registrar"])


def facts(sequence, title, opened_at=START):
    return Facts(
        sequence,
        "documents.review",
        "审核",
        title,
        "/documents/d1",
        "sender",
        "zfb",
        "",
        0,
        opened_at,
        None,
        "d1",
        "",
    )


steps = st.one_of(
    st.tuples(st.just("open"), sequences, st.sampled_from(["甲", "乙"]), people, times),
    st.tuples(st.just("reassign"), sequences, people, times),
    st.tuples(st.just("close"), sequences, st.sampled_from(["done", "withdrawn"]), times),
    st.tuples(st.just("urge"), st.sampled_from(["1", "2", "3"]), st.sampled_from(["快", "请快"]), times),
)


def take(obligation, step):
    kind, *rest = step
    if kind == "open":
        sequence, title, holder, at = rest
        return obligation.open(facts(sequence, title, at), Holding(sequence, holder, "sender", at))
    if kind == "reassign":
        sequence, holder, at = rest
        return obligation.reassign(Holding(sequence, holder, "x", at))
    if kind == "close":
        sequence, outcome, at = rest
        return obligation.close(Closing(sequence, outcome, "x", at))
    key, message, at = rest
    return obligation.urge(Urging(key, "x", message, at))


@given(st.lists(steps, max_size=12), st.integers(0, 2**32))
def test_any_order_and_any_repetition_give_the_same_state(history, seed):
    """# check 43"""
    one, other = Obligation(id="o"), Obligation(id="o")
    for step in history:
        take(one, step)
    shuffled = history * 3
    random.Random(seed).shuffle(shuffled)
    for step in shuffled:
        take(other, step)
    assert other.fingerprint() == one.fingerprint()
    # Whatever was taken in once brings nothing new.
    assert not any(take(other, step) for step in history)


@given(st.lists(steps, max_size=12))
def test_closed_stays_closed_and_the_highest_sequence_wins(history):
    obligation = Obligation(id="o")
    was_closed = False
    for step in history:
        take(obligation, step)
        if was_closed:
            assert obligation.state != "open"
        was_closed = was_closed or obligation.state == "closed"
    told = [step for step in history if step[0] in ("open", "reassign")]
    if told:
        highest = max(step[1] for step in told)
        candidates = {step[3] if step[0] == "open" else step[2] for step in told if step[1] == highest}
        assert obligation.holder in candidates
    closings = [step[1] for step in history if step[0] == "close"]
    assert (obligation.closing.sequence if obligation.closing else 0) == max(closings, default=0)


def test_a_close_that_arrives_before_its_opening_is_kept():
    obligation = Obligation(id="o")
    assert obligation.close(Closing(2, "done", "a", START))
    assert obligation.state == "unknown"
    assert obligation.open(facts(1, "通知"), Holding(1, "p:a", "s", START))
    assert obligation.state == "closed"


@given(st.lists(st.tuples(st.sampled_from(["p:a", "p:b"]), steps), max_size=20))
def test_lists_that_follow_hold_exactly_what_is_owed(history):
    obligation = Obligation(id="o")
    lists = {token: TodoList(id=token) for token in ("p:a", "p:b", "u:fgw:registrar")}
    for _, step in history:
        if take(obligation, step):
            obligation.revision += 1
        if obligation.facts:
            for holder in obligation.holders:
                lists[holder].follow(obligation)
                assert lists[holder].follow(obligation) == ""
        for token, one in lists.items():
            owed = obligation.state == "open" and obligation.holder == token
            assert [item.obligation for item in one.items] == (["o"] if owed else [])


def test_a_list_that_is_ahead_does_not_go_back():
    before, after = Obligation(id="o", revision=1), Obligation(id="o", revision=2)
    for one in (before, after):
        one.open(facts(1, "通知"), Holding(1, "p:a", "s", START))
    after.urge(Urging("1", "s", "请快", START))
    todo = TodoList(id="p:a")
    assert todo.follow(after) == "opened"
    assert todo.follow(before) == ""
    assert todo.items[0].urged == 1


def test_urging_again_needs_a_pause():
    obligation = Obligation(id="o")
    obligation.open(facts(1, "通知"), Holding(1, "p:a", "s", START))
    obligation.ask(Request("r1"), "s", "", START)
    with pytest.raises(WrongState, match="URGED_JUST_NOW"):
        obligation.ask(Request("r2"), "s", "", START + timedelta(minutes=9))
    obligation.ask(Request("r3"), "s", "", START + timedelta(minutes=11))
    assert len(obligation.urgings) == len(obligation.news) == 2
    obligation.close(Closing(2, "done", "a", START))
    with pytest.raises(WrongState, match="ALREADY_CLOSED"):
        obligation.ask(Request("r4"), "s", "", START + timedelta(hours=1))


def test_a_long_list_lies_in_many_small_records():
    keys = {part_of("u:fgw:registrar", f"documents|d{number}|fgw|1") for number in range(2000)}
    assert len(keys) == PARTS
    assert all(key.startswith("u:fgw:registrar#") for key in keys)
