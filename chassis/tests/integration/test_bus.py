"""The broker's side: streams with limits, buckets that are watched, hints, and an orderly end."""

from __future__ import annotations

import asyncio
import gc
import threading
import time
import uuid
import warnings

import pytest
from nats.js.api import DiscardPolicy
from tongban.portal.v1 import directory_pb2

from chassis.bus import Bus
from chassis.bus_thread import BusThread
from chassis.directory import Directory
from chassis.errors import NotFound, Unavailable
from chassis.loops import end_all
from chassis.streams import DEAD, STREAM, push_subject
from chassis.tests.helpers import settings
from tests.inprocess import eventually

pytestmark = pytest.mark.integration


@pytest.fixture
def bucket(bus):
    name = f"test-{uuid.uuid4().hex[:8]}"
    yield name
    bus.run(_drop(bus.bus, name), 10)


async def _drop(bus, name):
    await bus.js.delete_key_value(name)


def test_the_streams_refuse_rather_than_forget(bus):
    for name in (STREAM, DEAD):
        config = bus.run(bus.bus.js.stream_info(name), 10).config
        assert config.discard == DiscardPolicy.NEW
        assert config.max_bytes > 0
        assert config.duplicate_window == 7200


def test_an_operators_limits_are_taken_over_and_impossible_ones_stop_nobody(given, monkeypatch, bus):
    async def again():
        made = Bus(given)
        await made.connect()
        found = (await made.js.stream_info(DEAD)).config
        await made.close()
        return found

    usual = bus.run(bus.bus.js.stream_info(DEAD), 10).config.max_bytes
    try:
        monkeypatch.setenv("TONGBAN_DEAD_BYTES", str(usual + 1024))
        assert asyncio.run(again()).max_bytes == usual + 1024
        # A window longer than the events are kept is refused; the stream works on as it is.
        monkeypatch.setenv("TONGBAN_STREAM_DAYS", "0.001")
        assert asyncio.run(again()).max_bytes == usual + 1024
        assert bus.run(bus.bus.js.stream_info(STREAM), 10).config.max_age == 30 * 86400
    finally:
        monkeypatch.delenv("TONGBAN_STREAM_DAYS", raising=False)
        monkeypatch.setenv("TONGBAN_DEAD_BYTES", str(usual))
        assert asyncio.run(again()).max_bytes == usual


def test_an_event_published_twice_is_stored_once(bus, given, told):
    same = uuid.uuid4().hex
    for _ in range(3):
        bus.publish(f"tongban.{given.service}.v1.a.b", b"x", {"x": "y"}, same)
    assert [event_id for _, event_id, _ in told()] == [same]


def test_a_bucket_is_told_whole_and_then_by_changes(bus, bucket):
    bus.put(bucket, "a", b"1")
    bus.put(bucket, "b", b"2")
    heard, ready = [], threading.Event()
    bus.watch(bucket, lambda key, value: heard.append((key, value)), ready.set)
    assert ready.wait(10)
    assert sorted(heard) == [("a", b"1"), ("b", b"2")]
    bus.put(bucket, "a", b"3")
    bus.run(_delete(bus.bus, bucket, "b"), 10)
    eventually(lambda: heard[2:] == [("a", b"3"), ("b", None)])


def test_ready_comes_after_the_last_of_the_entries_and_not_before(bus, bucket):
    for number in range(60):
        bus.put(bucket, f"k{number}", b"1")
    heard, ready, too_early = [set() for _ in range(40)], [], []

    def whole(index):
        ready.append(index)
        if len(heard[index]) < 60:
            too_early.append(len(heard[index]))

    for index, keys in enumerate(heard):
        bus.watch(bucket, lambda key, _value, keys=keys: keys.add(key), lambda index=index: whole(index))
    # A watch that was interrupted says so twice.
    eventually(lambda: len({*ready}) == len(heard), 30)
    assert too_early == []


def test_the_keys_of_a_bucket_are_all_there_however_busy_the_client_is(bus, bucket):
    for number in range(60):
        bus.put(bucket, f"k{number}", b"1")

    async def often():
        # All at once: the entries of one come while the answer to another is awaited.
        return await asyncio.gather(*(bus.bus.keys(bucket) for _ in range(40)))

    assert {len(keys) for keys in bus.run(often(), 20)} == {60}


async def _delete(bus, bucket, key):
    await (await bus.bucket(bucket)).delete(key)


def test_an_empty_bucket_is_ready_too_and_many_may_make_it(bus, bucket):
    ready = [threading.Event() for _ in range(5)]
    for one in ready:
        bus.watch(bucket, lambda *_: None, one.set)
    assert all(one.wait(10) for one in ready)


def test_an_entry_that_nobody_can_read_keeps_the_others_away_from_nobody(bus, given, monkeypatch):
    from chassis import directory as module

    name = f"test-{uuid.uuid4().hex[:8]}"
    monkeypatch.setattr(module, "BUCKET", name)
    bus.put(name, "person.broken", b"\xff\xff\xff")
    directory = Directory(bus)
    assert directory.ready.wait(10)
    bus.put(name, "person.z", directory_pb2.Person(person="z", name="张三").SerializeToString())
    bus.put(name, "unit.fgw", directory_pb2.Unit(unit="fgw", name="发展和改革局").SerializeToString())
    eventually(lambda: (directory.person_name("z"), directory.unit_name("fgw")) == ("张三", "发展和改革局"))
    bus.run(_drop(bus.bus, name), 10)


def test_hints_and_subscriptions(bus, given):
    heard = []
    subject = push_subject(f"u:{given.service}:registrar")
    assert subject == f"tongban.push.u.{given.service}.registrar"
    bus.subscribe(subject, lambda *told: heard.append(told))
    eventually(lambda: bus.hint(subject, b"x") or heard)
    assert heard[0] == (subject, b"x")
    # A handler that fails does not end the subscription.
    bus.subscribe("tongban.test.bad", lambda *_: heard.append(1 / 0))
    bus.hint("tongban.test.bad", b"")
    before = len(heard)
    eventually(lambda: bus.hint(subject, b"y") or len(heard) > before)


def test_what_fails_is_typed(bus):
    async def refuse():
        raise NotFound("NOT_FOUND", "没有。")

    with pytest.raises(NotFound):
        bus.run(refuse(), 5)
    begun, ended = [], []

    async def forever():
        begun.append(1)
        try:
            await asyncio.sleep(60)
        finally:
            ended.append(1)

    while not begun:  # what was not even begun in time has nothing to end
        with pytest.raises(Unavailable):
            bus.run(forever(), 0.1)
    # It does not go on behind the back of a caller who was told that it failed.
    eventually(lambda: ended)
    with pytest.raises(Unavailable):
        bus.publish("not.a.subject.of.any.stream", b"", {}, "x")


def test_close_ends_everything(given, bucket):
    made = BusThread(given).start()
    assert made.connected.wait(10)
    ready = threading.Event()
    made.watch(bucket, lambda *_: None, ready.set)
    made.subscribe("tongban.test", lambda *_: None)
    assert ready.wait(10)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        started = time.monotonic()
        made.close()
        made.close()
        assert time.monotonic() - started < 5
        assert not made._thread.is_alive()
        assert made._loop.is_closed()
        gc.collect()
    assert not made.up
    made.hint("tongban.test")  # dropped


def test_close_while_the_broker_was_never_there(tmp_path):
    made = BusThread(settings(tmp_path, nats_url="nats://127.0.0.1:9")).start()
    made.watch("b", lambda *_: None, lambda: None)
    made.hint("tongban.test", b"dropped")
    time.sleep(0.3)
    assert not made.up
    assert not made.connected.is_set()
    started = time.monotonic()
    made.close()
    assert time.monotonic() - started < 5
    assert not made._thread.is_alive()


def test_end_all_is_stubborn():
    async def main():
        async def deaf():
            for _ in range(2):
                try:
                    await asyncio.sleep(60)
                except asyncio.CancelledError:
                    continue

        tasks = [asyncio.create_task(deaf()), asyncio.create_task(asyncio.sleep(0))]
        await asyncio.sleep(0.05)
        await end_all(tasks)
        assert all(task.done() for task in tasks)

    asyncio.run(main())
