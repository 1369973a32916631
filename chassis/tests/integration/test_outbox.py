"""From a save to the stream: nothing told is lost, nothing taken comes back, one that fails holds up nobody."""

from __future__ import annotations

import threading
import time
from collections import Counter

import pytest
from tongban.events.v1 import obligation_pb2

from chassis import relay as relay_module
from chassis.aggregate import Request
from chassis.errors import Exists
from chassis.intents import PENDING, aggregate_of, target
from chassis.outbox import envelope
from chassis.repository import anyone
from chassis.tests.helpers import Thing, things, to_wire
from tests.inprocess import eventually

pytestmark = pytest.mark.integration


@pytest.fixture
def seldom(monkeypatch):
    """The poll as good as never: what happens, happens because of a wake-up."""
    monkeypatch.setattr(relay_module, "POLL", 3600.0)


@pytest.fixture
def often(monkeypatch):
    monkeypatch.setattr(relay_module, "POLL", 0.05)
    monkeypatch.setattr(relay_module, "PAUSE", 0.05)


def sequences(told):
    return sorted(obligation_pb2.ObligationClosed.FromString(data).sequence for _, _, data in told())


def test_a_save_is_published_without_waiting_for_the_poll(seldom, kept, relaying, settled, told):
    shown = []
    relaying(
        kept,
        project=lambda kind, records: shown.extend(
            (kind, record["_id"], record["revision"]) for record in records
        ),
    )
    time.sleep(0.2)  # the poll at the start is over
    kept.add(Thing(id="t"), Request("begin"))
    settled(kept)
    kept.change("t", Request("a"), lambda thing: thing.add(events=3), anyone)
    settled(kept)
    assert sequences(told) == [1000, 1001, 1002]
    assert shown == [("things", "t", 1), ("things", "t", 2)]


def test_lost_wake_ups_are_covered_by_the_poll(often, store, given, relaying, settled, told):
    deaf = things(store, given)
    deaf.add(Thing(id="t"), Request("begin"))
    deaf.change("t", Request("a"), lambda thing: thing.add(events=2), anyone)
    relaying(deaf)
    settled(deaf)
    deaf.change("t", Request("b"), Thing.add, anyone)
    settled(deaf)
    assert sequences(told) == [1000, 1001, 2000]


class Killed(BaseException):
    """The process ended here."""


def test_intents_survive_a_death_before_and_after_the_save(
    often, store, given, relaying, settled, told, monkeypatch
):
    monkeypatch.setattr(relay_module, "YOUNG", 0.5)
    dying = things(store, given)
    dying.add(Thing(id="t"), Request("begin"))

    def die(*_):
        raise Killed

    for place, name, request in ((dying.collection, "save", "a"), (dying._intents, "_wake", "b")):
        with monkeypatch.context() as patch:
            patch.setattr(place, name, die)
            with pytest.raises(Killed):
                dying.change("t", Request(request), Thing.add, anyone)
    assert store.collection(PENDING).count() == 3
    relaying(dying)
    settled(dying)
    assert sequences(told) == [1000]
    # The client's repetition finds its effect, or makes it now.
    assert dying.change("t", Request("b"), Thing.add, anyone).number == 1
    assert dying.change("t", Request("a"), Thing.add, anyone).number == 2
    settled(dying)
    assert sequences(told) == [1000, 2000]


def test_many_writers_and_the_relay(kept, relaying, settled, told):
    """Every event is published, none twice in the stream, none comes back into an outbox, none stays there."""
    relaying(kept)
    keys = [f"t{number}" for number in range(4)]
    for key in keys:
        kept.add(Thing(id=key), Request(f"begin-{key}"))

    def write(writer):
        for number in range(25):
            key = keys[(writer + number) % len(keys)]
            kept.change(
                key,
                Request(f"{writer}-{number}"),
                lambda thing, number=number: thing.add(events=number % 3),
                anyone,
            )

    threads = [threading.Thread(target=write, args=(writer,)) for writer in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    settled(kept, seconds=30)
    found = told()
    assert len({event_id for _, event_id, _ in found}) == len(found)
    by_key = {key: [] for key in keys}
    for _, _, data in found:
        event = obligation_pb2.ObligationClosed.FromString(data)
        by_key[event.obligation].append(event.sequence)
    assert len(found) == 6 * sum(number % 3 for number in range(25))
    total = 0
    for key in keys:
        # Each change is one step of the counter, so no two successful changes told the same number.
        assert len(set(by_key[key])) == len(by_key[key])
        # One aggregate's events left in their order.
        assert by_key[key] == sorted(by_key[key])
        total += kept.get(key).number
    assert total == 6 * 25
    print(f"outbox: 150 changes by 6 writers, {len(found)} events, 0 lost, 0 twice")


def test_what_the_relay_took_does_not_come_back(kept):
    kept.add(Thing(id="t"), Request("begin"))
    kept.change("t", Request("a"), lambda thing: thing.add(events=2), anyone)
    old = kept.get("t")
    first, second = (event["id"] for event in kept.collection.get("t")["outbox"])
    # While a writer holds what it read, the relay takes one event.
    old.add(events=1)
    kept.collection.published({"t": [first]})
    record, events = kept._dump(old)
    kept.collection.save(record, events)
    assert [event["id"] for event in kept.collection.get("t")["outbox"]] == [second, events[0]["id"]]
    kept.collection.published({"t": [first]})
    kept.collection.published({"nobody": [first]})
    assert len(kept.collection.get("t")["outbox"]) == 2


def test_many_are_added_in_two_writes_and_a_repetition_adds_the_rest(kept, relaying, settled, told, store):
    """A handler died after some of them, or its event came twice."""
    relaying(kept)
    wishes = [(Thing(id=f"t{number}"), Request(f"begin-{number}")) for number in range(30)]
    for thing, _ in wishes:
        thing.add()
    kept.add(*wishes[3])
    again = [(Thing(id=thing.id), request) for thing, request in wishes]
    for thing, _ in again:
        thing.add()
    kept.add_all(again)
    assert {thing.revision for thing, _ in again if thing.id != "t3"} == {1}
    kept.add_all([(Thing(id=thing.id), request) for thing, request in wishes])
    settled(kept)
    assert len(told()) == 30
    assert store.collection(PENDING).count() == 0
    with pytest.raises(Exists):
        kept.add_all([(Thing(id="new"), Request("new")), (Thing(id="t1"), Request("another"))])
    assert kept.find("new") is None


def test_a_large_outbox(often, store, given, relaying, settled, told):
    deaf = things(store, given)
    deaf.add(Thing(id="t"), Request("begin"))
    deaf.change("t", Request("a"), lambda thing: thing.add(events=700), anyone)
    relaying(deaf)
    settled(deaf)
    assert sequences(told) == list(range(1000, 1700))


def test_many_intents(often, store, given, relaying, settled, monkeypatch):
    """More than one batch, as after an outage; all old enough to be given up at once."""
    monkeypatch.setattr(relay_module, "YOUNG", -1.0)
    deaf = things(store, given)
    pending = store.collection(PENDING)
    pending._c.insert_many([{"_id": f"things/k{number}/1.x", "at": 0.0} for number in range(450)])
    relaying(deaf)
    settled(deaf, seconds=60)


def test_an_intent_of_a_process_with_another_clock_is_not_given_up(
    often, store, given, kept, relaying, settled, told
):
    """# check 61: it looks a day old while its save is still on its way, and nobody announces that."""
    deaf = things(store, given)
    deaf.add(Thing(id="t"), Request("begin"))
    made = relaying(kept)
    settled(kept)
    store.collection(PENDING).insert({"_id": "things/t/2.late", "at": time.time() - 86400})
    eventually(lambda: made.relay._tries.get("things/t/2.late", (0, 0.0))[0] >= 2)
    record = deaf.collection.get("t")
    event = envelope(deaf._service, to_wire(Thing(id="t"), 1000))
    deaf.collection.save({**record, "number": 1}, [event])
    settled(kept)
    assert sequences(told) == [1000]


def test_an_intent_of_an_unknown_collection_stops_nobody(often, store, kept, relaying, told):
    pending = store.collection(PENDING)
    for intent in ("gone/k/1.abc", "nonsense", "things/t/old-form", "/", "things//"):
        pending.insert({"_id": intent, "at": time.time()})
    made = relaying(kept)
    kept.add(Thing(id="t"), Request("begin"))
    kept.change("t", Request("a"), Thing.add, anyone)
    eventually(lambda: sequences(told) == [1000])
    # What is not understood is kept; the rest is cleared.
    eventually(lambda: {record["_id"] for record in pending.scan()} == {"gone/k/1.abc", "nonsense", "/"})
    assert made.background.problem is None
    assert made.relay.lag >= 3


def test_an_aggregate_that_cannot_be_indexed_stops_nobody(often, store, kept, relaying, told, settled):
    shown, good = [], threading.Event()

    def project(_kind, records):
        for record in records:
            if record["_id"] == "bad" and not good.is_set():
                raise KeyError("no such field")
        shown.extend(record["_id"] for record in records)

    for key in ("a", "bad", "b"):
        kept.add(Thing(id=key), Request(f"begin-{key}"))
        kept.change(key, Request(f"change-{key}"), Thing.add, anyone)
    relaying(kept, project=project)
    # Its events leave all the same, for others wait for them; the intents stay until the index has it.
    eventually(lambda: sequences(told) == [1000] * 3)
    eventually(
        lambda: (
            {aggregate_of(record["_id"]) for record in store.collection(PENDING).scan()}
            == {("things", "bad")}
        )
    )
    assert set(shown) == {"a", "b"}
    assert Counter(shown) == {"a": 1, "b": 1}
    good.set()
    settled(kept)
    assert shown.count("bad") == 1


def test_an_event_that_the_broker_refuses_stops_nobody(often, store, kept, relaying, told):
    """Too large for any message: it stays in its outbox, and is tried more and more seldom."""
    for key in ("a", "bad", "b"):
        kept.add(Thing(id=key), Request(f"begin-{key}"))
        kept.change(key, Request(f"change-{key}"), Thing.add, anyone)
    record = kept.collection.get("bad")
    record["outbox"][0]["data"] = b"x" * (5 << 20)
    kept.collection.put(record)
    made = relaying(kept)
    eventually(lambda: sequences(told) == [1000] * 2)
    eventually(lambda: {aggregate_of(one["_id"])[1] for one in store.collection(PENDING).scan()} == {"bad"})
    eventually(lambda: max(tries for tries, _ in made.relay._tries.values()) >= 2)
    assert len(kept.collection.get("bad")["outbox"]) == 1


def test_a_repetition_of_the_relay_is_not_stored_twice(often, store, kept, relaying, told, settled):
    """It died after publishing and before it could write that down."""
    kept.add(Thing(id="t"), Request("begin"))
    kept.change("t", Request("a"), lambda thing: thing.add(events=2), anyone)
    record = kept.collection.get("t")
    relaying(kept)
    settled(kept)
    kept.collection.put(record)
    store.collection(PENDING).insert({"_id": "things/t/2.again", "at": time.time()})
    settled(kept)
    assert sequences(told) == [1000, 1001]


def test_a_full_stream_refuses_and_the_outbox_keeps(often, kept, bus, relaying, settled, told):
    """# check 50: nothing acknowledged is dropped for what is new, and nothing new is lost."""
    kept.add(Thing(id="t"), Request("begin"))
    made = relaying(kept)
    settled(kept)

    async def limit(most):
        config = (await bus.bus.js.stream_info("TONGBAN")).config
        config.max_bytes = most
        await bus.bus.js.update_stream(config)
        return (await bus.bus.js.stream_info("TONGBAN")).state.messages

    usual = bus.run(_config(bus), 10).max_bytes
    before = bus.run(limit(1), 10)
    try:
        kept.change("t", Request("a"), lambda thing: thing.add(events=3), anyone)
        eventually(lambda: any(tries >= 3 for tries, _ in made.relay._tries.values()))
        assert len(kept.collection.get("t")["outbox"]) == 3
        assert sequences(told) == []
        # Writing goes on meanwhile.
        kept.change("t", Request("b"), Thing.add, anyone)
        assert bus.run(limit(1), 10) == before
    finally:
        bus.run(limit(usual), 10)
    settled(kept)
    assert sequences(told) == [1000, 1001, 1002, 2000]
    print(
        "check 50: stream full: 4 events refused and kept in the outbox, 4 published when there was room again"
    )


async def _config(bus):
    return (await bus.bus.js.stream_info("TONGBAN")).config


def test_intents_are_taken_apart():
    assert aggregate_of("things/a/b|c/12.ff") == ("things", "a/b|c")
    assert [target(intent) for intent in ("things/a/b|c/12.ff", "things/a/ff", "x", "")] == [12, 0, 0, 0]
