"""The relay forgets no intent whose save it has not seen, whatever else it publishes meanwhile."""

from __future__ import annotations

import asyncio
import uuid
from dataclasses import dataclass, field

import pymongo
import pytest
from tongban.events.v1 import obligation_pb2

from chassis.aggregate import Aggregate, Request
from chassis.intents import PENDING
from chassis.relay import Relay
from chassis.repository import Repository, anyone
from chassis.settings import Settings
from chassis.store import Store

pytestmark = pytest.mark.integration


@dataclass(kw_only=True)
class Thing(Aggregate):
    """Something that tells an event with each change."""

    changes: int = 0

    def change(self):
        self.changes += 1
        self.tell(self.changes)


@dataclass
class SlowBus:
    """A bus during whose first publication another save begins and ends, and its wake-up gets lost."""

    up = True
    meanwhile: list = field(default_factory=list)
    published: list = field(default_factory=list)

    async def publish(self, _subject, data, _headers, _event_id):
        while self.meanwhile:
            self.meanwhile.pop()()
        self.published.append(obligation_pb2.ObligationClosed.FromString(data).sequence)


@pytest.fixture
def store(tmp_path, engines):
    mongo = engines["mongo"]
    service = f"relay{uuid.uuid4().hex[:8]}"
    store = Store(
        Settings(service, "test", "https://x", mongo, "", "http://x", "tongban", tmp_path, tmp_path)
    )
    yield store
    pymongo.MongoClient(mongo).drop_database(f"tongban_{service}")
    store.close()


def test_a_save_under_way_keeps_its_intent_while_older_events_are_published(store):
    """# check 46: the second save is between its intent and its write while the relay works; its wake-up is lost."""
    to_wire = lambda _thing, sequence: obligation_pb2.ObligationClosed(obligation="o", sequence=sequence)  # noqa: E731
    things = Repository(store, "relay", Thing, "things", to_wire=to_wire)
    thing = Thing(id="t")
    thing.change()
    things.add(thing, Request("r1"))

    begun, finish = [], things.collection.save
    things.collection.save = lambda record, events: begun.append((record, events))
    things.change("t", Request("r2"), Thing.change, anyone)
    things.collection.save = finish
    assert store.collection(PENDING).count() == 2

    bus = SlowBus([lambda: finish(*begun[0])])
    relay = Relay("relay", store, bus, {"things": things}, lambda _kind, _records: None)
    asyncio.run(relay._carry_out(relay._all()))
    assert bus.published == [1]
    asyncio.run(relay._carry_out(relay._all()))
    assert bus.published == [1, 2]
    assert relay._all() == set()
