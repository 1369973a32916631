"""Three brokers: some stopped, one with a bit turned on its disk. No false acknowledgement, nothing lost, nothing twice."""

from __future__ import annotations

import asyncio
import random
import time
import uuid
from collections import Counter
from itertools import count, pairwise

import pymongo
import pytest
from tongban.events.v1 import obligation_pb2

from chassis.bus_thread import BusThread
from chassis.errors import Unavailable
from chassis.streams import STREAM
from chassis.tests.helpers import settings
from deploy.broker import __main__ as command
from deploy.broker.comparing import compare
from services.tasks.__main__ import of
from tests.chaos import forms
from tests.chaos.cluster import Cluster
from tests.chaos.killing import at_work
from tests.chaos.lives import LIVES
from tests.chaos.test_broker import create
from tests.checks.stream import Stream
from tests.inprocess import eventually

pytestmark = [pytest.mark.integration, pytest.mark.timeout(400)]
SUBJECT = "tongban.chaos.v1.chaos.sent"
HEADERS = {"ce-time": "2026-11-22T00:00:00+00:00", "ce-source": "/tongban/chaos"}
BODY = obligation_pb2.ObligationClosed(obligation="none").SerializeToString()
GAP = 5.0  # seconds at most without an acknowledgement when one broker is stopped


@pytest.fixture
def cluster(tmp_path, monkeypatch):
    monkeypatch.setenv("TONGBAN_NATS_REPLICAS", "3")
    with Cluster(tmp_path / "cluster") as running:
        yield running


class Sender:
    """Publishes one event after the other, each until it is acknowledged; knows when that was."""

    def __init__(self, bus):
        self.bus, self.acknowledged, self.refused = bus, {}, []

    def __call__(self, _number, stop):
        for number in count():
            if stop.is_set():
                return
            event = f"{number}-{uuid.uuid4().hex}"
            while event not in self.acknowledged and not stop.is_set():
                self.send(event)

    def send(self, event):
        try:
            self.bus.publish(SUBJECT, BODY, HEADERS, event)
        except Unavailable:
            self.refused.append(event)
            time.sleep(0.05)
        else:
            self.acknowledged[event] = time.monotonic()

    def gap(self, since):
        """The longest time without an acknowledgement from then until now."""
        moments = [since, *sorted(at for at in self.acknowledged.values() if at >= since), time.monotonic()]
        return max(after - before for before, after in pairwise(moments))


def leader(cluster):
    """The broker that leads the stream, once there is one."""
    info = eventually(lambda: asked(cluster), 30)
    return info.cluster.leader


def asked(cluster):
    try:
        info = asyncio.run(cluster.state(STREAM))
    except Exception:  # noqa: BLE001 - whatever it is, there is no answer yet
        return None
    return info if info.cluster.leader else None


def whole(cluster):
    """Whether every replica has everything."""
    info = asked(cluster)
    return (
        info is not None
        and len(info.cluster.replicas) == 2
        and all(one.current for one in info.cluster.replicas)
    )


@forms.long
def test_stopped_brokers_of_three(cluster, engines, tmp_path):
    """# check 48"""
    tasks = LIVES["tasks"].running(
        {"mongo": engines["mongo"], "nats": cluster.urls, "secrets": "/nonexistent"}, tmp_path
    )
    with tasks.running(*LIVES["tasks"].stubs):
        sender = Sender(tasks.parts.bus)
        created = []
        gaps = {}
        with at_work(sender, 4):
            for how, name in (("stopped", "a follower"), ("stopped", "the leader"), ("killed", "the leader")):
                eventually(lambda: whole(cluster), 60)
                leads = leader(cluster)
                node = leads if name == "the leader" else next(one for one in cluster.nodes if one != leads)
                before = len(sender.acknowledged)
                eventually(lambda before=before: len(sender.acknowledged) > before + 20)
                began = time.monotonic()
                (cluster.stop if how == "stopped" else cluster.kill)(node)
                eventually(lambda began=began: max(sender.acknowledged.values()) > began + 2, 30)
                gaps[f"{name} {how}"] = sender.gap(began)
                cluster.start(node)
            eventually(lambda: whole(cluster), 60)
        # One event that everybody saw acknowledged before the others go.
        first, second = (one for one in cluster.nodes if one != leader(cluster))
        cluster.kill(first)
        cluster.kill(second)
        known = set(sender.acknowledged)
        created.append(create(tasks, uuid.uuid4().hex).assignments[0].obligation)
        unsure = [f"alone-{number}" for number in range(3)]
        for event in unsure:
            sender.send(event)
        assert set(sender.acknowledged) == known, "a broker without the majority has acknowledged"
        pending = tasks.parts.store.collection("pending")
        assert pending.count() == 1, "the outbox waits"
        assert create(tasks, uuid.uuid4().hex), "people can go on working"
        cluster.start(first, wait=False)
        cluster.start(second, wait=False)
        eventually(lambda: not pending.count(), 60)
        for event in unsure:
            eventually(lambda event=event: sender.send(event) or event in sender.acknowledged, 30)
        eventually(lambda: whole(cluster), 60)
        eventually(lambda: set(of(tasks.parts).obligations.get_many(created)) == set(created), 60)
        stream = Stream(tasks.settings)
        times = Counter(one.headers["ce-id"] for one in stream.everything())
        lost = set(sender.acknowledged) - set(times)
        assert not lost, sorted(lost)[:5]
        assert set(times.values()) == {1}, [one for one, often in times.items() if often > 1][:5]
        stream.close()
        with pymongo.MongoClient(engines["mongo"]) as client:
            client.drop_database(f"tongban_{tasks.settings.service}")
    said = ", ".join(f"{name} {seconds:.1f} s" for name, seconds in gaps.items())
    assert max(seconds for name, seconds in gaps.items() if "stopped" in name) <= GAP, said
    print(
        f"check 48: {len(sender.acknowledged)} events acknowledged, 0 lost, 0 twice; longest gap with {said};"
        f" two of three gone: {len(unsure)} refused, 0 acknowledged, the outbox waited"
    )


def flip(path, fate):
    """Turn one bit in the middle half of a file; returns where."""
    size = path.stat().st_size
    place = fate.randrange(size // 4, 3 * size // 4)
    with path.open("r+b") as handle:
        handle.seek(place)
        byte = handle.read(1)[0]
        handle.seek(place)
        handle.write(bytes([byte ^ 1 << fate.randrange(8)]))
    return place


@forms.long
def test_a_bit_that_turned_on_one_disk(cluster, tmp_path, monkeypatch, capsys):
    """# check 49: found by the daily comparison, and put right by building that broker anew."""
    bus = BusThread(settings(tmp_path, nats_url=cluster.urls)).start()
    assert bus.connected.wait(60)
    sender = Sender(bus)
    for number in range(400):
        # The stream of a new cluster has no leader yet.
        eventually(lambda number=number: sender.send(f"{number}") or f"{number}" in sender.acknowledged, 30)
    eventually(lambda: whole(cluster), 60)

    def compared():
        monkeypatch.setattr("sys.argv", ["deploy.broker", "compare", "--urls", cluster.urls])
        status = command.main()
        return status, capsys.readouterr().out

    status, said = compared()
    assert (status, said.count("copies are equal")) == (0, 2), said
    fate = random.Random(49)
    victim = next(one for one in cluster.nodes if one != leader(cluster))
    (block,) = cluster.store(victim).rglob(f"streams/{STREAM}/msgs/1.blk")
    place = flip(block, fate)
    # The broker keeps what was just written in its memory for some seconds, and reads its disk after that.
    status, said = eventually(lambda: (found := compared())[0] and found, 60)
    assert status == 1, said
    assert f"not like the others: {victim}" in said, said

    cluster.stop(victim)
    cluster.forget(victim)
    cluster.start(victim)
    eventually(lambda: whole(cluster), 60)
    status, said = compared()
    assert status == 0, said
    (one,) = (one for one in asyncio.run(compare(cluster.urls.split(","))) if one.stream == STREAM)
    assert len({copy.root for copy in one.copies.values()}) == 1
    assert {len(copy.digests) for copy in one.copies.values()} == {400}
    bus.close()
    print(
        f"check 49: bit {place} of {victim}'s block turned: found; rebuilt, 3 equal roots over 400 messages"
    )


@pytest.mark.parametrize("sync", [None, "always"])
def test_a_broker_that_does_not_write_at_once_is_refused(sync, tmp_path, monkeypatch):
    """# check 50: the start-up check; without `sync_interval: always` there are no streams, and nobody takes the broker for ready."""
    with Cluster(tmp_path / "one", sync=sync, nodes=("n1",)) as broker:
        monkeypatch.setenv("TONGBAN_NATS_MONITOR", broker.monitor("n1"))
        bus = BusThread(settings(tmp_path, nats_url=broker.urls)).start()
        try:
            assert bus.connected.wait(60 if sync else 4) == (sync == "always")
            assert bool(asked(broker)) == (sync == "always")
        finally:
            bus.close()
    print(f"check 50: sync_interval {sync or 'left out'}: {'taken' if sync else 'refused'}")
