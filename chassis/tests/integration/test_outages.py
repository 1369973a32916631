"""kill -9 of the database and of the broker, on engines of this file's own: what was acknowledged stays, what waits goes on by itself."""

from __future__ import annotations

import threading
import time
import uuid

import grpc
import pymongo
import pytest
from google.protobuf.message import Message
from grpc_health.v1 import health_pb2, health_pb2_grpc
from tongban.events.v1 import obligation_pb2

from chassis import bus as bus_module
from chassis import consuming as consuming_module
from chassis import health as health_module
from chassis import relay as relay_module
from chassis.aggregate import Request
from chassis.bus_thread import BusThread
from chassis.consumer import Consumer
from chassis.consuming import Running
from chassis.errors import Unavailable
from chassis.files import Files
from chassis.health import Health
from chassis.intents import PENDING
from chassis.repository import anyone
from chassis.tests.helpers import TOKEN, Answer, Stub, Thing, serving
from chassis.tests.helpers import Request as Ask
from deploy.local.stack import Stack
from tests.chaos.killing import Broken
from tests.inprocess import eventually

pytestmark = [pytest.mark.integration, pytest.mark.timeout(180)]


@pytest.fixture(scope="module")
def own(tmp_path_factory):
    with Stack(tmp_path_factory.mktemp("stack"), engines=("mongo", "nats"), applications=False) as stack:
        yield stack


@pytest.fixture
def engines(own):
    """In place of the shared ones, which nobody may kill."""
    return {"mongo": own.env["TONGBAN_MONGO_URI"], "nats": own.env["TONGBAN_NATS_URL"]}


@pytest.fixture(autouse=True)
def _impatient(monkeypatch):
    """What is away is given up, and looked for again, after one second."""
    monkeypatch.setattr(consuming_module, "IDLE", 1.0)
    client = pymongo.MongoClient
    monkeypatch.setattr(
        pymongo, "MongoClient", lambda uri, **more: client(uri, **{**more, "serverSelectionTimeoutMS": 1000})
    )


@pytest.fixture
def often(monkeypatch):
    monkeypatch.setattr(relay_module, "POLL", 0.2)
    monkeypatch.setattr(relay_module, "PAUSE", 0.1)


def test_a_killed_database_is_a_typed_error_and_comes_back(own, store, kept):
    kept.add(Thing(id="t"), Request("begin"))
    records = store.collection("plain")
    calls = {
        "get": lambda: records.get("a"), "get_many": lambda: records.get_many(["a"]), "insert": lambda: records.insert({"_id": "n"}),
        "save": lambda: records.save({"_id": "a", "revision": 1}, []), "claim": lambda: records.claim("p", "h"),
        "release": lambda: records.release("p", "h"), "put": lambda: records.put({"_id": "b"}), "remove": lambda: records.remove("b"),
        "scan": lambda: list(records.scan()), "count": records.count, "published": lambda: records.published({"a": ["e"]}),
        "ping": store.ping, "add": lambda: kept.add(Thing(id="u"), Request("u")),
        "change": lambda: kept.change("t", Request("c"), Thing.add, anyone), "file": lambda: Files(store).put([b"x"]),
    }  # fmt: skip
    for call in ("insert", "claim"):
        calls[call]()
    records.remove("n")
    with Broken(own, "mongo"):
        problems: dict[str, Exception] = {}

        def attempt(name):
            try:
                calls[name]()
            except Exception as problem:  # noqa: BLE001 - which one it is, is the question
                problems[name] = problem

        started = time.monotonic()
        threads = [threading.Thread(target=attempt, args=(name,)) for name in calls]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert time.monotonic() - started < 8
        assert {name: type(problem) for name, problem in problems.items()} == dict.fromkeys(
            calls, Unavailable
        )
        assert {problem.reason for problem in problems.values()} == {"STORE_UNAVAILABLE"}
        assert not [problem for problem in problems.values() if "127.0.0.1" in f"{problem.zh}{problem.en}"]
    eventually(lambda: changed(kept, "c"), 30)
    assert kept.get("t").number == 1
    assert kept.add(Thing(id="u"), Request("u")).revision == 1


def test_health_tells_the_truth_about_the_database(own, store, bus, given, monkeypatch):
    monkeypatch.setattr(health_module, "FRESH", 0.0)
    health = Health(needed={"store": store.ping}, useful={"bus": lambda: bus.up})
    with serving(given, health=health) as port, grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        stub = health_pb2_grpc.HealthStub(channel)

        def status(name=""):
            return stub.Check(health_pb2.HealthCheckRequest(service=name), timeout=10).status

        good, bad = health_pb2.HealthCheckResponse.SERVING, health_pb2.HealthCheckResponse.NOT_SERVING
        assert (status(), status("bus")) == (good, good)
        with Broken(own, "mongo"):
            assert (status(), status("store"), status("bus")) == (bad, bad, good)
        eventually(lambda: status() == good)
        with Broken(own, "nats"):
            eventually(lambda: status("bus") == bad)
            # Without the broker people can go on working.
            assert status() == good
        eventually(lambda: status("bus") == good)


def test_the_relay_outlives_the_database(own, often, kept, relaying, settled, told):
    made = relaying(kept)
    kept.add(Thing(id="t"), Request("begin"))
    kept.change("t", Request("a"), Thing.add, anyone)
    settled(kept)
    with Broken(own, "mongo"):
        time.sleep(1)
    eventually(lambda: changed(kept, "b"))
    settled(kept)
    assert len(told()) == 2
    assert made.background.problem is None


def changed(kept, request, events=1):
    """Whether the change is acknowledged."""
    try:
        kept.change("t", Request(request), lambda thing: thing.add(events=events), anyone)
    except Unavailable:
        return False
    return True


def test_the_broker_may_be_away_for_as_long_as_it_likes(
    own, often, kept, store, bus, relaying, settled, told
):
    """# check 41 in part: writing goes on, and everything is published after the restart, once."""
    shown = []
    made = relaying(
        kept, project=lambda _kind, records: shown.extend(record["revision"] for record in records)
    )
    kept.add(Thing(id="t"), Request("begin"))
    settled(kept)
    with Broken(own, "nats"):
        eventually(lambda: not bus.up)
        for number in range(5):
            assert changed(kept, f"r{number}", 2)
        bus.hint("tongban.test")  # no error
        # Lists show what was saved, broker or not; then the index is left in peace.
        eventually(lambda: shown[-1] == 6)
        count = len(shown)
        time.sleep(1)
        assert len(shown) == count
        assert store.collection(PENDING).count() == 5
        assert len(kept.collection.get("t")["outbox"]) == 10
    settled(kept)
    assert len(told()) == 10
    assert made.background.problem is None


@pytest.fixture
def consuming(background, given):
    """consuming(handler) → a consumer of this service's own events."""

    def start(handler):
        kind: type[Message] = obligation_pb2.ObligationClosed
        consumer = Consumer("inbox", {f"tongban.{given.service}.v1.obligation.closed": (kind, handler)})

        def make(bus):
            running = Running(given.service, consumer, bus)
            return [running.run()], running.bound.wait

        return background(make)

    return start


def tell(bus, given, sequence):
    body = obligation_pb2.ObligationClosed(obligation="o", sequence=sequence).SerializeToString()
    headers = {"ce-time": "2026-03-04T05:06:07+00:00"}
    bus.publish(f"tongban.{given.service}.v1.obligation.closed", body, headers, uuid.uuid4().hex)


def test_a_consumer_binds_again_by_itself(own, given, bus, consuming):
    """# check 41: after a restart of the broker, without a restart of the process."""
    taken = []
    consuming(lambda event: taken.append(event.message.sequence))
    tell(bus, given, 1)
    eventually(lambda: taken == [1])
    with Broken(own, "nats"):
        pass
    eventually(lambda: bus.up)
    tell(bus, given, 2)
    eventually(lambda: 2 in taken, 20)


def test_a_handler_at_work_while_the_broker_goes(own, given, bus, consuming):
    gate, taken = threading.Event(), []

    def handler(event):
        taken.append(event.message.sequence)
        if event.message.sequence == 1:
            gate.wait(20)

    consuming(handler)
    for number in (1, 2, 3):
        tell(bus, given, number)
    eventually(lambda: taken == [1])
    with Broken(own, "nats"):
        eventually(lambda: not bus.up)
        gate.set()
    eventually(lambda: set(taken) == {1, 2, 3}, 20)


def test_what_needs_the_broker_says_that_it_is_away(own, bus, given):
    heard = []
    bus.subscribe("tongban.test.away", lambda *told: heard.append(told))
    eventually(lambda: bus.hint("tongban.test.away") or heard)
    with Broken(own, "nats"):
        eventually(lambda: not bus.up)
        with pytest.raises(Unavailable) as problem:
            bus.run(bus.bus.publish(f"tongban.{given.service}.v1.a.b", b"", {}, "x"), 0.5)
        assert problem.value.reason == "BROKER_UNAVAILABLE"
        heard.clear()
        for _ in range(100):
            bus.hint("tongban.test.away")
    eventually(lambda: bus.up)
    time.sleep(0.3)
    assert heard == [], "a hint of the time of the outage would be stale"
    eventually(lambda: bus.hint("tongban.test.away") or heard)


def test_a_watch_goes_on_after_a_restart(own, bus, monkeypatch):
    monkeypatch.setattr(bus_module, "TICK", 0.2)
    bucket = f"test-{uuid.uuid4().hex[:8]}"
    bus.put(bucket, "a", b"1")
    known: dict[str, bytes | None] = {}
    ready = []
    bus.watch(bucket, known.__setitem__, lambda: ready.append(1))
    eventually(lambda: ready and known == {"a": b"1"})
    for value in (b"2", b"3"):
        with Broken(own, "nats"):
            eventually(lambda: not bus.up)
        eventually(lambda: bus.up)
        put(bus, bucket, value)
        # Revocations are such entries: they must not wait for the next one.
        eventually(lambda value=value: known == {"a": value}, 30)
    assert len(ready) >= 2
    # Whoever watches leaves nothing behind: the subscriptions are those of the last watch and of requests.
    assert len(bus.bus.nc._subs) <= 2


def put(bus, bucket, value):
    eventually(lambda: tried(lambda: bus.put(bucket, "a", value)))


def tried(call):
    try:
        call()
    except Unavailable:
        return False
    return True


def test_a_start_without_the_broker_waits_for_it(own, given):
    heard, made = [], None
    try:
        with Broken(own, "nats"):
            made = BusThread(given).start()
            made.subscribe("tongban.test.early", lambda *told: heard.append(told))
            made.watch(f"test-{uuid.uuid4().hex[:8]}", lambda *_: None, lambda: heard.append("ready"))
            time.sleep(0.5)
            assert not made.up
        assert made.connected.wait(10)
        eventually(lambda: "ready" in heard)
        eventually(lambda: made.hint("tongban.test.early") or len(heard) > 1)
    finally:
        made.close()


def test_a_stream_of_requests_is_cut_off_by_a_killed_database_and_typed(own, given, store):
    files, go = Files(store), threading.Event()
    digest = files.put([b"x" * (3 << 20)]).digest

    def give(_request, _rpc):
        for number, piece in enumerate(files.read(digest)):
            yield Answer(document=f"{number} {len(piece)}")
            go.wait(10)

    with serving(given, Give=give) as port, grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        stream = Stub(channel).Give(Ask(), timeout=20, metadata=[("authorization", f"Bearer {TOKEN}")])
        assert next(stream).document == "0 1048576"
        with Broken(own, "mongo"):
            go.set()
            with pytest.raises(grpc.RpcError) as problem:
                list(stream)
            assert problem.value.code() is grpc.StatusCode.UNAVAILABLE
    eventually(lambda: tried(lambda: files.content(digest)), 30)
    assert len(files.content(digest)) == 3 << 20
