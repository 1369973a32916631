"""Batches into the stream: all or none, in order, and what a batch cannot bring in goes by itself."""

from __future__ import annotations

import asyncio

import pytest
from nats.errors import Error as NatsError
from tongban.events.v1 import obligation_pb2

from chassis.outbox import envelope
from chassis.publishing import BATCH, BrokerAway, publish

pytestmark = pytest.mark.integration


@pytest.fixture
def outboxes(given):
    """outboxes(aggregates, events) → outboxes with so many events of each aggregate, numbered in their order."""

    def make(aggregates, events):
        return {
            f"a{number}": [
                envelope(
                    given.service, obligation_pb2.ObligationClosed(obligation=f"a{number}", sequence=place)
                )
                for place in range(events)
            ]
            for number in range(aggregates)
        }

    return make


@pytest.fixture
def by_aggregate(told):
    """by_aggregate() → aggregate → sequences in the stream's order."""

    def read():
        found = {}
        for _, _, data in told():
            event = obligation_pb2.ObligationClosed.FromString(data)
            found.setdefault(event.obligation, []).append(event.sequence)
        return found

    return read


@pytest.fixture
def batches(bus, monkeypatch):
    """The ends of the batches: how many events each held, or why it was refused."""
    ends, inner = [], bus.bus.publish_batch

    async def counted(events):
        try:
            await inner(events)
        except (NatsError, TimeoutError) as problem:
            ends.append(type(problem).__name__)
            raise
        ends.append(len(events))

    monkeypatch.setattr(bus.bus, "publish_batch", counted)
    return ends


def send(bus, given):
    return bus.run(publish(bus.bus, given), 30)


def test_many_outboxes_leave_in_few_batches_and_in_order(bus, outboxes, by_aggregate, batches):
    given = outboxes(7, 20)
    outcome = send(bus, given)
    assert outcome.refused == {}
    assert outcome.sent == {key: [event["id"] for event in events] for key, events in given.items()}
    assert by_aggregate() == {key: list(range(20)) for key in given}
    assert batches == [BATCH, 140 - BATCH]


def test_what_the_stream_has_already_is_not_stored_twice(bus, outboxes, by_aggregate, batches):
    """# check 45: the relay died after the commit; the same outboxes come again, with new events among them."""
    given = outboxes(3, 4)
    first = {key: events[:2] for key, events in given.items()}
    send(bus, first)
    outcome = send(bus, given)
    assert outcome.refused == {}
    assert outcome.sent == {key: [event["id"] for event in events] for key, events in given.items()}
    assert by_aggregate() == {key: [0, 1, 2, 3] for key in given}
    assert batches[0] == 6
    assert isinstance(batches[1], str), "a batch with duplicates is refused as a whole"


def test_an_event_that_is_refused_holds_up_its_own_aggregate_only(bus, outboxes, by_aggregate):
    given = outboxes(3, 4)
    given["a1"][2]["data"] = b"x" * (5 << 20)
    outcome = send(bus, given)
    assert set(outcome.refused) == {"a1"}
    assert {key: len(ids) for key, ids in outcome.sent.items()} == {"a0": 4, "a1": 2, "a2": 4}
    assert by_aggregate() == {"a0": [0, 1, 2, 3], "a1": [0, 1], "a2": [0, 1, 2, 3]}


def test_a_lost_answer_loses_nothing_and_doubles_nothing(bus, outboxes, by_aggregate, monkeypatch):
    """The batch is stored, but its acknowledgement does not come."""
    given, inner = outboxes(2, 5), bus.bus.publish_batch

    async def mute(events):
        await inner(events)
        raise TimeoutError

    monkeypatch.setattr(bus.bus, "publish_batch", mute)
    outcome = send(bus, given)
    assert outcome.refused == {}
    assert by_aggregate() == {key: list(range(5)) for key in given}


def test_a_broker_without_batches_is_published_to_one_by_one(bus, given, outboxes, by_aggregate, batches):
    """As before an operator has let the stream take batches."""

    async def let(atomic):
        config = (await bus.bus.js.stream_info("TONGBAN")).config
        config.allow_atomic = atomic
        await bus.bus.js.update_stream(config)

    bus.run(let(False), 10)
    try:
        assert send(bus, outboxes(2, 3)).refused == {}
    finally:
        bus.run(let(True), 10)
    assert by_aggregate() == {"a0": [0, 1, 2], "a1": [0, 1, 2]}
    assert isinstance(batches[0], str)


def test_nobody_to_publish_to_is_said_at_once(given, outboxes):
    class Away:
        up = False

    outcome = asyncio.run(publish(Away(), outboxes(2, 3)))
    assert {key: type(problem) for key, problem in outcome.refused.items()} == {
        "a0": BrokerAway,
        "a1": BrokerAway,
    }
    assert outcome.sent == {}
