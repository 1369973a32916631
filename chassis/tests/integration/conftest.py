"""A service of its own for every test, on the engines that all tests share."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from types import SimpleNamespace

import pymongo
import pytest

from chassis.bus import Bus
from chassis.bus_thread import BusThread
from chassis.loops import end_all
from chassis.relay import Relay, wake_subject
from chassis.store import Store
from chassis.tests.helpers import settings, things
from tests.inprocess import eventually

PROJECT = lambda _kind, _records: None  # noqa: E731


@pytest.fixture
def given(engines, tmp_path):
    made = settings(tmp_path, mongo_uri=engines["mongo"], nats_url=engines["nats"])
    yield made
    with contextlib.suppress(pymongo.errors.PyMongoError), pymongo.MongoClient(engines["mongo"]) as client:
        client.drop_database(f"tongban_{made.service}")


@pytest.fixture
def store(given):
    made = Store(given)
    yield made
    made.close()


@pytest.fixture
def bus(given):
    made = BusThread(given).start()
    assert made.connected.wait(10)
    yield made
    made.close()


@pytest.fixture
def kept(store, given, bus):
    """Things whose saves wake the relay."""
    return things(store, given, wake=lambda intent: bus.hint(wake_subject(given.service), intent.encode()))


class Background:
    """Coroutines on a loop of their own in a thread: what the `work` process is in a deployment."""

    def __init__(self, given):
        self.given = given
        self.problem = None
        self._stop = threading.Event()
        self._begun = threading.Event()
        self._make = None
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()), daemon=True)

    def __call__(self, make):
        """make(bus) → (coroutines, ready): begin to run them."""
        self._make = make
        self._thread.start()
        assert self._begun.wait(20)
        return self

    async def _run(self):
        bus = Bus(self.given)
        await bus.connect()
        jobs, ready = self._make(bus)
        tasks = [asyncio.create_task(job) for job in jobs]
        await ready()
        self._begun.set()
        stop = asyncio.create_task(asyncio.to_thread(self._stop.wait))
        await asyncio.wait([*tasks, stop], return_when=asyncio.FIRST_COMPLETED)
        self._stop.set()
        self.problem = next(
            (task.exception() for task in tasks if task.done() and not task.cancelled()), None
        )
        await end_all(tasks)
        await bus.close()

    def close(self):
        self._stop.set()
        if self._thread.ident:
            self._thread.join(20)
        assert self.problem is None, self.problem


@pytest.fixture
def background(given):
    """background(make) starts a Background; all are closed, and must not have broken, at the end."""
    opened = []

    def start(make):
        one = Background(given)
        opened.append(one)
        return one(make)

    yield start
    for one in opened:
        one.close()


@pytest.fixture
def relaying(background, given, store):
    """relaying(repositories, project) starts a relay."""

    def start(*repositories, project=PROJECT):
        made = SimpleNamespace()

        def make(bus):
            made.relay = Relay(given.service, store, bus, {one.name: one for one in repositories}, project)

            async def ready():
                await asyncio.sleep(0.05)
                await bus.nc.flush()

            return [made.relay.run()], ready

        made.background = background(make)
        return made

    return start


@pytest.fixture
def told(given, bus):
    """told() → the events of this service in the stream, each as (subject, event id, data)."""

    async def read():
        js, found = bus.bus.js, []
        subscription = await js.pull_subscribe(f"tongban.{given.service}.v1.>", stream="TONGBAN")
        left = (await subscription.consumer_info()).num_pending
        while len(found) < left:
            found += await subscription.fetch(min(200, left - len(found)), timeout=5)
        await subscription.unsubscribe()
        return [(one.subject, one.headers["ce-id"], one.data) for one in found]

    return lambda: bus.run(read(), 30)


@pytest.fixture
def settled(store):
    """settled(repository…) waits until every outbox and the intents are empty."""

    def wait(*repositories, seconds=15.0):
        def empty():
            pending = store.collection("pending").count()
            return not pending and not any(
                record["outbox"] for one in repositories for record in one.collection.scan()
            )

        eventually(empty, seconds)

    return wait
