"""What of the broker is kept: nothing that a consumer still lacks is lost, whoever lacks it."""

import bson
import pytest
from nats.js.api import AckPolicy, ConsumerConfig, DeliverPolicy

from chassis.streams import STREAM
from deploy.backup.streams import BUCKET, EVENTS, LETTERS, Broker
from deploy.local.stack import Stack

pytestmark = [pytest.mark.integration, pytest.mark.timeout(120)]


@pytest.fixture
def brokers(tmp_path):
    """Two brokers: the one that is backed up, and an empty one."""
    only = {"engines": ("nats",), "applications": False}
    with (
        Stack(tmp_path / "a", **only) as first,
        Stack(tmp_path / "b", **only) as second,
        Broker(first.env["TONGBAN_NATS_URL"]) as a,
        Broker(second.env["TONGBAN_NATS_URL"]) as b,
    ):
        yield a, b


async def bind(broker, durable, subject, take):
    """A durable consumer as the chassis makes it, which takes `take` events and acknowledges the first half of them."""
    js = broker._bus.js
    config = ConsumerConfig(
        durable_name=durable, filter_subjects=[subject], ack_policy=AckPolicy.EXPLICIT, deliver_policy=DeliverPolicy.ALL,
        ack_wait=30,
    )  # fmt: skip
    await js.add_consumer(STREAM, config)
    subscription = await js.pull_subscribe_bind(durable=durable, stream=STREAM)
    got = await subscription.fetch(take, timeout=5) if take else []
    for message in got[: len(got) // 2]:
        await message.ack_sync()
    return [message.data for message in got]


def events(broker, count, service="a", start=0):
    async def publish():
        for number in range(start, start + count):
            headers = {"Nats-Msg-Id": f"{service}{number}", "ce-id": f"{service}{number}", "ce-type": "t"}
            await broker._bus.js.publish(
                f"tongban.{service}.v1.x.y", f"{service}{number}".encode(), headers=headers
            )

    broker._run(publish())


def test_what_somebody_lacks_is_kept_and_reaches_everybody(brokers):
    a, b = brokers
    events(a, 10)
    a._run(bind(a, "slow-x", "tongban.a.v1.x.y", 8))
    a._run(
        bind(a, "other-x", "tongban.other.v1.x.y", 0)
    )  # nothing was ever for this one: it holds nothing back
    assert a.missing_after() == (4, 10)

    kept = list(a.messages(STREAM, *a.missing_after()))
    assert [bson.decode(one)["data"] for one in kept] == [b"a4", b"a5", b"a6", b"a7", b"a8", b"a9"]
    b.load(EVENTS, kept)
    assert list(b.messages(STREAM, 0, b.last(STREAM))) == kept
    # The service starts, makes its consumer as ever, and gets what it lacked.
    assert b._run(bind(b, "slow-x", "tongban.a.v1.x.y", 6)) == [b"a4", b"a5", b"a6", b"a7", b"a8", b"a9"]


def test_without_consumers_all_is_kept(brokers):
    a, _ = brokers
    assert a.missing_after() == (0, 0)
    events(a, 3)
    assert a.missing_after() == (0, 3)


def test_an_event_that_stands_twice_in_the_stream_is_kept_once(brokers):
    a, b = brokers
    events(a, 2)

    async def again():
        # As after the window in which the broker itself notices.
        await a._bus.js.delete_msg(STREAM, 1)
        await a._bus.js.publish("tongban.a.v1.x.y", b"a1", headers={"ce-id": "a1", "Nats-Msg-Id": "replay-1"})

    a._run(again())
    kept = list(a.messages(STREAM, 0, 3))
    assert len(kept) == 2
    b.load(EVENTS, kept)
    b.load(EVENTS, kept)  # a second time changes nothing, within the window
    assert list(b.messages(STREAM, 0, b.last(STREAM))) == kept


def test_dead_letters_and_buckets_come_back(brokers):
    a, b = brokers

    async def fill():
        headers = {"Dead-Subject": "s", "Dead-Reason": "%E5%90%8C", "Nats-Msg-Id": "d/1"}
        await a._bus.js.publish("dead.tongban.a.x", b"letter", headers=headers)
        bucket = await a._bus.bucket("directory")
        for number in range(300):
            await bucket.put(f"person.{number}", b"%d" % number)
        await bucket.delete("person.7")
        await a._bus.js.add_stream(name="FOREIGN", subjects=["foreign.>"])

    a._run(fill())
    assert a.buckets() == [f"{BUCKET}directory"]
    assert a.left_out() == ["FOREIGN"]
    b.load(LETTERS, list(a.messages(LETTERS.removeprefix("stream/"), 0, 1)))
    pairs = list(a.pairs(f"{BUCKET}directory"))
    assert len(pairs) == 299
    b.load(f"{BUCKET}directory", pairs)
    for section in (LETTERS, f"{BUCKET}directory"):
        assert b.tally(section).facts() == a.tally(section).facts()
