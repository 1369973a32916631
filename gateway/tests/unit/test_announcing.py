"""An ended login reaches the broker sooner or later, whatever ends or is away meanwhile."""

from __future__ import annotations

import pytest

from chassis.ended import login_entry
from chassis.errors import Unavailable
from chassis.streams import ENDED
from gateway import announcing
from gateway.announcing import Announcer
from gateway.tests.unit import fakes
from tests.inprocess import eventually


class Broker(fakes.FakeBus):
    """Takes nothing in while it is away."""

    def __init__(self, *, away=False):
        super().__init__()
        self.away, self.tries = away, 0

    def put(self, bucket, key, value):
        self.tries += 1
        if self.away:
            raise Unavailable("BROKER_UNAVAILABLE", "")
        super().put(bucket, key, value)


@pytest.fixture(autouse=True)
def _quick(monkeypatch):
    monkeypatch.setattr(announcing, "AGAIN", 0.02)


def entry(login):
    key, _ = login_entry(login)
    return ENDED, key


def test_a_login_is_told_at_once():  # check 7
    store, broker = fakes.FakeStore(), Broker()
    announcer = Announcer(store, broker)
    announcer.tell("s1")
    announcer.tell("s1")
    eventually(lambda: entry("s1") in broker.entries and not store.collection("untold").records)


def test_what_the_broker_did_not_take_is_told_when_it_is_back():  # check 7
    store, broker = fakes.FakeStore(), Broker(away=True)
    Announcer(store, broker).tell("s1")
    eventually(lambda: broker.tries > 2)
    assert list(store.collection("untold").records) == ["s1"]
    broker.away = False
    eventually(lambda: entry("s1") in broker.entries and not store.collection("untold").records)


def test_what_an_earlier_process_left_is_told_by_the_next_one():  # check 7
    store = fakes.FakeStore()
    first = Broker(away=True)
    Announcer(store, first).tell("s1")
    eventually(lambda: first.tries)
    second = Broker()
    Announcer(store, second)
    eventually(lambda: entry("s1") in second.entries)


def test_what_no_token_outlives_is_not_told(monkeypatch):
    store, broker = fakes.FakeStore(), Broker()
    store.collection("untold").insert({"_id": "old", "revision": 1, "at": 0.0})
    Announcer(store, broker)
    eventually(lambda: not store.collection("untold").records)
    assert not broker.entries


def test_a_fault_of_ours_does_not_end_the_telling():  # check 7
    store, broker = fakes.FakeStore(), Broker()
    put, faults = broker.put, [ZeroDivisionError()]

    def faulty(*entry_of):
        if faults:
            raise faults.pop()
        put(*entry_of)

    broker.put = faulty
    Announcer(store, broker).tell("s1")
    eventually(lambda: entry("s1") in broker.entries)
