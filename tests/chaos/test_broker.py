"""kill -9 of the broker while people and services are at work: nothing lost, nothing twice, and every consumer comes back by itself."""

from __future__ import annotations

import contextlib
import time
import uuid
from collections import Counter
from itertools import count

import pytest
from tongban.events.v1 import obligation_pb2
from tongban.tasks.v1 import tasks_pb2

from chassis.errors import Unavailable
from deploy.local.stack import Stack
from services.tasks.__main__ import of
from services.tasks.pages import app
from services.tasks.tests.integration import conftest as people
from tests.browsing import Browser, said
from tests.chaos import forms
from tests.chaos.killing import Broken, at_work, kill_often
from tests.chaos.lives import LIVES
from tests.checks.stream import Stream
from tests.inprocess import PlainVerifier, eventually

pytestmark = [pytest.mark.integration, pytest.mark.timeout(900)]
WRITERS, SENDERS = 16, 4
KILLS = forms.of(2, 20)


@pytest.fixture(scope="module")
def stack(tmp_path_factory):
    with Stack(tmp_path_factory.mktemp("own"), engines=("mongo", "nats"), applications=False) as running:
        yield running


@pytest.fixture(scope="module")
def lives(stack, tmp_path_factory):
    """The four services at work, by their kind."""
    engines = {
        "mongo": stack.env["TONGBAN_MONGO_URI"],
        "nats": stack.env["TONGBAN_NATS_URL"],
        "secrets": stack.env["TONGBAN_SECRETS"],
    }
    with contextlib.ExitStack() as opened:
        made = {}
        for kind, life in LIVES.items():
            service = life.running(engines, tmp_path_factory.mktemp(kind))
            made[kind] = opened.enter_context(service.running(*life.stubs))
        yield made


def create(tasks, request_id):
    asked = tasks_pb2.CreateTaskRequest(
        title="防汛值班", text="值班", assignees=["p:keyuan"], request_id=request_id
    )
    return tasks.call("CreateTask", asked, people.AS["zhuren"])


def test_kill_9_of_the_broker_under_writers(stack, lives):
    """# check 41: 16 writers through outbox and relay, 4 that publish themselves, 20 kills (2 in the short form)."""
    tasks = lives["tasks"]
    created: list[str] = []
    sent: list[str] = []
    refused: list[str] = []

    def write(_writer, stop):
        while not stop.is_set():
            # Clicks need no broker: each of these is answered at once, whether it is there or not.
            task = create(tasks, uuid.uuid4().hex)
            created.append(task.assignments[0].obligation)

    def send(sender, stop):
        body = obligation_pb2.ObligationClosed(obligation="none").SerializeToString()
        headers = {"ce-time": "2026-11-22T00:00:00+00:00", "ce-source": "/tongban/chaos"}
        for number in count():
            if stop.is_set():
                return
            event = f"{sender}-{number}-{uuid.uuid4().hex}"
            while True:
                try:
                    tasks.parts.bus.publish("tongban.chaos.v1.chaos.sent", body, headers, event)
                except Unavailable:
                    refused.append(event)
                    time.sleep(0.05)
                    continue
                sent.append(event)
                break

    with at_work(lambda number, stop: (write if number < WRITERS else send)(number, stop), WRITERS + SENDERS):
        kill_often(stack, "nats", KILLS, lambda: len(created) + len(sent), seed=41)
    kept = of(tasks.parts).obligations
    eventually(lambda: not tasks.parts.store.collection("pending").count(), 60)
    found = eventually(lambda: all_there(kept, created), 90)
    assert all(len(one.holdings) == 1 for one in found.values())

    stream = Stream(tasks.settings)
    times = Counter(one.headers["ce-id"] for one in stream.everything())
    told = Counter(
        obligation_pb2.ObligationOpened.FromString(one.data).obligation
        for one in stream.everything()
        if one.subject == f"tongban.{tasks.settings.service}.v1.obligation.opened"
    )
    assert set(told) >= set(created), "an event of an acknowledged task is not in the stream"
    assert set(times) >= set(sent), "an acknowledged event is not in the stream"
    twice = [key for key, often in (times + told).items() if often != 1]
    assert not twice, twice[:5]
    stream.close()
    print(
        f"check 41: kill -9 x {KILLS} under {WRITERS} + {SENDERS} writers: {len(created)} tasks through the outbox and"
        f" {len(sent)} events acknowledged, {len(set(refused))} refused and sent again: 0 lost, 0 twice"
    )


def all_there(kept, keys):
    found = {}
    for start in range(0, len(keys), 500):
        found |= kept.get_many(keys[start : start + 500])
    return found if len(found) == len(set(keys)) else None


@forms.long
def test_every_consumer_comes_back_by_itself(stack, lives):
    """# check 41: after a kill each consumer of each service takes a new event in, and nobody started anything anew."""
    stream = Stream(lives["tasks"].settings)
    names = [one.settings.service for one in lives.values()]

    def taken():
        """Durable → the last event that it has acknowledged, once there is nothing left to take in."""
        if stream.behind(names):
            return {}
        return {
            one.name: one.ack_floor.stream_seq
            for one in stream.consumers()
            if one.name.split("-")[0] in names
        }

    before = eventually(taken, 60)
    with Broken(stack, "nats"):
        pass
    eventually(lambda: stream.bus.up and all(one.parts.bus.up for one in lives.values()), 20)
    for kind, service in lives.items():
        for deed in LIVES[kind].deeds.values():
            for _ in deed(service):
                eventually(taken, 60)
    after = eventually(lambda: (now := taken()) and all(now[one] > before[one] for one in before) and now, 60)
    expected = {
        f"{lives[kind].settings.service}-{name}" for kind, life in LIVES.items() for name in life.deeds
    }
    assert set(after) == expected
    stream.close()
    print(f"check 41: {len(after)} consumers of {len(lives)} services are back by themselves")


def test_pages_while_an_engine_is_away(stack, lives):
    """Without the broker clicks work; without the database pages say so in a sentence, and then they go on."""
    service = lives["tasks"]
    browser = Browser(app(verifier=PlainVerifier(), directory=service.parts.directory), people.AS)

    def new(title, status=303):
        return browser.post("/tasks/new", "zhuren", {"title": title, "people": "keyuan"}, status)

    def page():
        return browser._web.get("/tasks/sent", headers=browser.headers("zhuren"))

    with Broken(stack, "nats"):
        eventually(lambda: not service.parts.bus.up)
        at = new("经纪人不在时交办").headers["Location"]
        assert "经纪人不在时交办" in browser.get(at, "zhuren")
    with Broken(stack, "mongo"):
        refused = new("数据库不在时交办", 503)
        assert "数据库暂时不可用" in said(refused)
        assert "再次提交不会重复办理" in said(refused)
        shown = browser._web.get(at, headers=browser.headers("zhuren"))
        assert (shown.status_code, "数据库暂时不可用" in said(shown)) == (503, True)
    eventually(lambda: page().status_code == 200 and "经纪人不在时交办" in page().text, 60)
    eventually(lambda: browser._web.get(at, headers=browser.headers("zhuren")).status_code == 200, 30)
    assert new("数据库回来后交办").headers["Location"]
