"""Consumers: every event at least once, one that fails by itself, and none given up for an outage."""

from __future__ import annotations

import threading
import time
import uuid
from collections import Counter

import pytest
from google.protobuf.message import DecodeError
from tongban.events.v1 import obligation_pb2

from chassis import consuming as module
from chassis import context
from chassis.consumer import Consumer, Later
from chassis.consuming import MAX_DELIVER, Running
from chassis.deadletters import DeadLetters
from chassis.errors import NotFound, TimedOut, Unavailable
from tests.inprocess import eventually

pytestmark = pytest.mark.integration
HEADERS = {"ce-source": "/tongban/other", "ce-time": "2026-03-04T05:06:07+00:00", "tongban-actor": "p1"}


@pytest.fixture(autouse=True)
def _quick(monkeypatch):
    monkeypatch.setattr(module, "BACKOFF", (0.05, 0.05, 0.05, 0.05))
    monkeypatch.setattr(module, "AWAY", 0.1)
    monkeypatch.setattr(module, "IDLE", 1.0)


@pytest.fixture
def consuming(background, given):
    """consuming(handler) starts the consumer `inbox` of this service's own events."""

    def start(handler, name="inbox", at_once=1):
        kind = obligation_pb2.ObligationClosed
        consumer = Consumer(
            name, {f"tongban.{given.service}.v1.obligation.closed": (kind, handler)}, at_once=at_once
        )

        def make(bus):
            running = Running(given.service, consumer, bus)
            start.running = running
            return [running.run()], running.bound.wait

        return background(make)

    return start


@pytest.fixture
def tell(bus, given):
    """tell(sequence…) publishes events; returns their ids."""

    def publish(*sequences, data=None, headers=HEADERS, about="o"):
        ids = []
        for sequence in sequences:
            ids.append(uuid.uuid4().hex)
            body = obligation_pb2.ObligationClosed(obligation=about, sequence=sequence).SerializeToString()
            bus.publish(
                f"tongban.{given.service}.v1.obligation.closed",
                body if data is None else data,
                headers,
                ids[-1],
            )
        return ids

    return publish


@pytest.fixture
def dead(bus, given):
    """dead() → the dead letters of this service."""
    letters = DeadLetters(bus)
    return lambda: [one for one in letters.listing(50) if one.consumer.startswith(f"{given.service}-")]


@pytest.fixture
def left(bus, given):
    """left() → how many events the broker still keeps for the consumer."""

    async def ask():
        info = await bus.bus.js.consumer_info("TONGBAN", f"{given.service}-inbox")
        return info.num_pending + info.num_ack_pending

    return lambda: bus.run(ask(), 10)


class Seen:
    """A handler that remembers, and fails as it is told."""

    def __init__(self, problems=None):
        self.events, self.calls, self.problems = [], Counter(), problems or {}
        self.contexts = []

    def __call__(self, event):
        number = event.message.sequence
        self.calls[number] += 1
        self.contexts.append((context.current(), threading.current_thread().name))
        problem = self.problems.get(number)
        if callable(problem):
            problem = problem(self.calls[number])
        if problem:
            raise problem
        self.events.append(event)

    @property
    def taken(self):
        return [event.message.sequence for event in self.events]


def test_an_event_arrives_with_its_envelope(consuming, tell, left, given):
    seen = Seen()
    consuming(seen)
    trace = f"00-{'a' * 32}-{'b' * 16}-01"
    (event_id,) = tell(7, headers={**HEADERS, "traceparent": trace, "tongban-request": "r1"})
    eventually(lambda: seen.taken == [7])
    event, (call, _) = seen.events[0], seen.contexts[0]
    assert (event.id, event.service, event.actor) == (event_id, "other", "p1")
    assert event.subject == f"tongban.{given.service}.v1.obligation.closed"
    assert event.time.isoformat() == HEADERS["ce-time"]
    assert event.request("|x").key == f"event:{event_id}|x"
    assert (call.request_id, call.traceparent, call.principal) == ("r1", trace, None)
    eventually(lambda: left() == 0)


def test_a_failing_event_is_tried_five_times_and_the_others_go_on(consuming, tell, left, dead):
    seen = Seen(
        {
            5: ValueError("坏的数据：第5条\nnext line"),
            8: lambda call: ValueError("once") if call == 1 else None,
        }
    )
    consuming(seen)
    ids = tell(*range(20))
    eventually(lambda: len(seen.taken) == 19)
    (letter,) = eventually(dead)
    assert (seen.calls[5], seen.calls[8]) == (MAX_DELIVER, 2)
    assert all(count == 1 for number, count in seen.calls.items() if number not in (5, 8))
    assert letter.event == ids[5]
    assert letter.reason == "ValueError: 坏的数据：第5条 next line"
    assert letter.size > 0
    eventually(lambda: left() == 0)


def test_a_dead_letter_can_be_replayed(consuming, tell, dead, bus):
    good = threading.Event()
    seen = Seen({1: lambda _call: None if good.is_set() else KeyError("没有这份文件")})
    consuming(seen)
    (event_id,) = tell(1)
    (letter,) = eventually(dead)
    assert "没有这份文件" in letter.reason
    letters = DeadLetters(bus)
    # Replayed too early it comes back, as often as that happens.
    letters.replay(letter.sequence)
    again = eventually(lambda: [one for one in dead() if one.sequence != letter.sequence])[0]
    assert (again.event, again.reason, seen.calls[1]) == (event_id, letter.reason, 2 * MAX_DELIVER)
    good.set()
    letters.replay(again.sequence)
    eventually(lambda: seen.taken == [1])
    assert seen.events[0].id == event_id
    assert dead() == []
    with pytest.raises(NotFound):
        letters.replay(again.sequence)


def test_an_outage_fills_no_dead_letters(consuming, tell, left, dead):
    """What the handler needs is away for longer than five tries; then it is back, and one real failure is still only one."""
    back = threading.Event()

    failed = []

    def away(call):
        if not back.is_set():
            return (Unavailable if call % 2 else TimedOut)("STORE_UNAVAILABLE", "稍后。")
        if not failed:
            failed.append(call)
            return ValueError("once")
        return None

    seen = Seen({1: away})
    consuming(seen)
    tell(1, 2)
    eventually(lambda: seen.calls[1] > 2 * MAX_DELIVER and seen.taken == [2])
    assert dead() == []
    back.set()
    tell(3)
    eventually(lambda: sorted(seen.taken) == [1, 2, 3])
    eventually(lambda: left() == 0)
    assert dead() == []


def test_later_is_a_wish_and_no_failure(consuming, tell, left, dead):
    seen = Seen({1: lambda call: Later(0.02) if call <= 8 else ValueError("once") if call == 9 else None})
    consuming(seen)
    tell(1)
    eventually(lambda: seen.taken == [1])
    assert seen.calls[1] == 10
    eventually(lambda: left() == 0)
    assert dead() == []


def test_what_cannot_be_read_is_buried_at_once(consuming, tell, left, dead):
    seen = Seen({3: DecodeError("a handler's own business")})
    consuming(seen)
    broken = tell(1, data=b"\xff\xff\xff")
    broken += tell(1, headers={})
    broken += tell(1, headers={**HEADERS, "ce-time": "yesterday"})
    tell(2)
    eventually(lambda: seen.taken == [2] and len(dead()) == 3)
    assert seen.calls.total() == 1
    assert {letter.event for letter in dead()} == set(broken)
    eventually(lambda: left() == 0)
    # What a handler cannot read inside of an event may be somebody else's fault, and is tried again.
    tell(3)
    eventually(lambda: len(dead()) == 4)
    assert seen.calls[3] == MAX_DELIVER


def test_a_handler_slower_than_the_brokers_patience_gets_each_event_once(consuming, tell, left, monkeypatch):
    monkeypatch.setattr(module, "ACK_WAIT", 3.0)
    seen = Seen()

    def slow(event):
        time.sleep(0.7)
        seen(event)

    consuming(slow)
    tell(*range(7))
    eventually(lambda: len(seen.taken) == 7, 30)
    eventually(lambda: left() == 0)
    assert seen.taken == list(range(7))
    assert set(seen.calls.values()) == {1}


def test_a_slow_consumer_holds_up_no_other(consuming, tell):
    gate, seen = threading.Event(), Seen()
    blocked = [consuming(lambda _event: gate.wait(20), f"slow{number}") for number in range(3)]
    consuming(seen)
    tell(*range(5))
    eventually(lambda: len(seen.taken) == 5, 15)
    gate.set()
    assert len({name for _, name in seen.contexts}) == 1
    assert len(blocked) == 3


def test_different_things_go_side_by_side_and_one_thing_in_its_order(consuming, tell, left):
    lock, busy, most, taken = threading.Lock(), Counter(), [0], {}

    def handler(event):
        about = event.message.obligation
        with lock:
            busy[about] += 1
            assert busy[about] == 1, "two events about one thing at the same time"
            most[0] = max(most[0], sum(busy.values()))
        time.sleep(0.02)
        with lock:
            taken.setdefault(about, []).append(event.message.sequence)
            busy[about] -= 1

    for sequence in range(5):
        for about in "abcdef":
            tell(sequence, about=about)
    consuming(handler, at_once=4)
    eventually(lambda: sum(map(len, taken.values())) == 30)
    assert taken == {about: list(range(5)) for about in "abcdef"}
    assert most[0] == 4
    eventually(lambda: left() == 0)


def test_one_that_fails_or_cannot_be_read_holds_up_nobody_beside_it(consuming, tell, left, dead):
    seen = Seen({1: ValueError("always")})
    consuming(seen, at_once=4)
    tell(1, about="bad")
    tell(2, data=b"\xff\xff\xff")
    for number in range(3, 9):
        tell(number, about=f"good{number}")
    eventually(lambda: sorted(seen.taken) == list(range(3, 9)))
    eventually(lambda: len(dead()) == 2)
    assert seen.calls[1] == MAX_DELIVER
    eventually(lambda: left() == 0)


def test_full_dead_letters_keep_the_event(consuming, tell, left, dead, bus):
    """Nothing is given up that cannot be put away."""

    async def limit(most):
        config = (await bus.bus.js.stream_info("TONGBAN_DEAD")).config
        usual, config.max_bytes = config.max_bytes, most
        await bus.bus.js.update_stream(config)
        return usual

    seen = Seen({1: ValueError("always")})
    # Whoever starts sets the limits of its own settings, so the consumer goes first.
    consuming(seen)
    usual = bus.run(limit(1), 10)
    try:
        tell(1, 2)
        eventually(lambda: seen.calls[1] > MAX_DELIVER + 2 and seen.taken == [2], 20)
        eventually(lambda: left() == 1)
    finally:
        bus.run(limit(usual), 10)
    eventually(lambda: len(dead()) == 1)
    eventually(lambda: left() == 0)


def test_a_stop_gives_back_what_was_not_begun(consuming, tell, left, given, background):
    """# check 47: taken in but not acknowledged comes again; its effect is the same one."""
    gate, begun, effects = threading.Event(), [], set()

    def first(event):
        effects.add(event.request().key)
        begun.append(event.message.sequence)
        gate.wait(10)

    one = consuming(first)
    tell(*range(6))
    eventually(lambda: begun == [0])
    one.close()
    gate.set()
    again = []

    def second(event):
        effects.add(event.request().key)
        again.append(event.message.sequence)

    started = time.monotonic()
    consuming(second)
    eventually(lambda: sorted(set(again)) == list(range(6)), 20)
    assert time.monotonic() - started < 25, "long before the broker would have missed the first one"
    assert len(effects) == 6
    eventually(lambda: left() == 0)
    print("check 47: 6 events, one begun twice, 6 effects")


def test_two_of_the_same_name_share_the_work(consuming, tell, left):
    one, two = Seen(), Seen()
    consuming(one)
    consuming(two)
    tell(*range(60))
    eventually(lambda: len(one.taken) + len(two.taken) == 60)
    assert sorted(one.taken + two.taken) == list(range(60))
    eventually(lambda: left() == 0)


def test_what_was_told_before_the_consumer_existed_arrives(consuming, tell):
    tell(1, 2)
    seen = Seen()
    consuming(seen)
    eventually(lambda: seen.taken == [1, 2])


def test_a_consumer_that_somebody_deleted_comes_back(consuming, tell, bus, given, monkeypatch):
    seen = Seen()
    consuming(seen)
    tell(1)
    eventually(lambda: seen.taken == [1])
    bus.run(bus.bus.js.delete_consumer("TONGBAN", f"{given.service}-inbox"), 10)
    tell(2)
    # Bound anew it hears everything from the beginning: at least once.
    eventually(lambda: 2 in seen.taken, 15)
