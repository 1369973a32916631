"""kill -9 of the database while it is written to: what was acknowledged stays, what is sent again has one effect."""

from __future__ import annotations

import time
from itertools import count

import pytest

from chassis.aggregate import Request
from chassis.errors import Unavailable
from chassis.repository import anyone
from chassis.store import Store
from chassis.tests.helpers import Thing, settings, things
from deploy.local.stack import Stack
from tests.chaos import forms
from tests.chaos.killing import Broken, at_work, kill_often
from tests.inprocess import eventually

pytestmark = [pytest.mark.integration, pytest.mark.timeout(600)]
WRITERS = 16
KILLS = forms.of(2, 20)


@pytest.fixture
def stack(tmp_path):
    with Stack(tmp_path, engines=("mongo", "nats"), applications=False) as running:
        yield running


def answers(store):
    """Whether the database is there again."""
    try:
        store.ping()
    except Unavailable:
        return False
    return True


def test_kill_9_of_the_database_under_writers(stack, tmp_path):
    """# check 51: 20 kills (2 in the short form); each writer adds a record and raises a counter of all, and repeats what failed."""
    store = Store(
        settings(tmp_path, mongo_uri=stack.env["TONGBAN_MONGO_URI"], nats_url=stack.env["TONGBAN_NATS_URL"])
    )
    kept = things(store, settings(tmp_path))
    for number in range(4):
        kept.add(Thing(id=f"counter{number}"), Request(f"begin{number}"))
    added: list[tuple[str, str]] = []
    raised: list[int] = []
    unanswered: list[str] = []

    def until_acknowledged(write, request):
        while True:
            try:
                return write()
            except Unavailable:
                unanswered.append(request)
                time.sleep(0.05)

    def write(writer, stop):
        for number in count():
            if stop.is_set():
                return
            key = f"{writer}-{number}"
            made = until_acknowledged(
                lambda key=key: kept.add(Thing(id=key, number=7, words={"by": key}), Request(f"add-{key}")),
                key,
            )
            added.append((made.id, made.words["by"]))
            until_acknowledged(
                lambda key=key: kept.change(
                    f"counter{writer % 4}", Request(f"raise-{key}"), Thing.add, anyone
                ),
                key,
            )
            raised.append(writer % 4)

    with at_work(write, WRITERS):
        kill_often(stack, "mongo", KILLS, lambda: len(added) + len(raised), seed=51)
    # Once more without anybody at work, so that what is read now has been on the disk.
    with Broken(stack, "mongo"):
        pass
    eventually(lambda: answers(store))
    found = kept.get_many([key for key, _ in added])
    lost = [key for key, _ in added if key not in found]
    assert not lost, lost[:5]
    assert all(one.words == {"by": key} and one.revision == 1 for key, one in found.items())
    assert all(key == by for key, by in added)
    assert len(set(added)) == len(added)
    counters = [kept.get(f"counter{number}").number for number in range(4)]
    assert counters == [raised.count(number) for number in range(4)], "an increment was lost or counted twice"
    # Every one of them left exactly one event to publish.
    assert sum(len(one["outbox"]) for one in kept.collection.scan()) == len(raised)
    assert len(set(unanswered)) >= KILLS, "the kills met nobody at work"
    store.close()
    print(
        f"check 51: kill -9 x {KILLS} under {WRITERS} writers: {len(added) + len(raised)} writes acknowledged, 0 lost;"
        f" {len(unanswered)} sent again, 0 doubled"
    )
