"""One process with a wrong clock, five minutes or a day before or after the others: work goes on, and nothing happens twice."""

from __future__ import annotations

import asyncio
import contextlib
import json
import subprocess
import sys
import time
import uuid
from pathlib import Path

import pytest
from tongban.documents.v1 import documents_pb2
from tongban.events.v1 import obligation_pb2
from tongban.meetings.v1 import meetings_pb2

from chassis.streams import STREAM
from chassis.tests.helpers import Realm, environment
from services.documents.tests.integration import test_line as line
from services.meetings.tests.integration import conftest as meetings
from services.tasks.__main__ import of
from services.tasks.tests.integration import conftest as tasks_conftest
from tests.chaos import forms
from tests.chaos.lives import LIVES
from tests.chaos.test_broker import create
from tests.checks.stream import State, Stream
from tests.inprocess import InProcess, eventually
from tests.rules import tree

pytestmark = [pytest.mark.integration, pytest.mark.timeout(300)]
OFFSETS = ("+5m", "-5m", "+1d", "-1d")
FAKE = Path("/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1")


@pytest.fixture(autouse=True)
def _there():
    if not FAKE.exists():
        pytest.skip("Debian's package faketime is not installed")


def false_clock(offset, *arguments, **how):
    """A process whose clock is wrong. What only counts seconds (deadlines, pauses) is right, as it is on such a machine."""
    env = environment(
        LD_PRELOAD=str(FAKE), FAKETIME=offset, FAKETIME_DONT_FAKE_MONOTONIC="1", DONT_FAKE_MONOTONIC="1"
    )
    command = [sys.executable, "-m", "tests.chaos.wrong_clock", *arguments]
    return subprocess.Popen(command, env=env, cwd=tree.ROOT, **how)


class Serving(InProcess):
    """The service's `serve` alone: its `work` is another process."""

    async def _work(self):
        self.bound.set()
        while not self._stop.is_set():  # noqa: ASYNC110 - set by another thread
            await asyncio.sleep(0.05)


@contextlib.contextmanager
def working(service, kind, engines, var, offset):
    """The service's real `work` with this clock."""
    (var / "ready" / f"{service.settings.service}-work").unlink(missing_ok=True)
    with (var / f"work{offset}.log").open("ab") as out:
        name = service.settings.service
        child = false_clock(
            offset, "work", kind, name, engines["mongo"], engines["nats"], str(var), stdout=out, stderr=out
        )
        try:
            eventually((var / "ready" / f"{name}-work").exists, 120)
            yield child
            assert child.poll() is None, "it ended"
        finally:
            child.terminate()
            child.wait(30)


@contextlib.contextmanager
def serving(kind, engines, var):
    life = LIVES[kind]
    made = life.running(engines, var)
    made.__class__ = Serving
    with made.running(*life.stubs):
        stream, state = Stream(made.settings), State(engines["mongo"], [made.settings.service])
        # Events of tests that ran before are none of this service's life.
        stream.bus.run(stream.bus.bus.js.purge_stream(STREAM), 10)
        made.settle = lambda: (
            eventually(lambda: not state.unsent() and not stream.behind([made.settings.service]), 40)
            and state.hashes()
        )
        made.stream = stream
        try:
            yield made
        finally:
            stream.close()
            state.close()


@forms.long
@pytest.mark.parametrize("offset", OFFSETS)
@pytest.mark.parametrize("kind", ["documents", "tasks"])
def test_work_with_a_wrong_clock_does_its_work(kind, offset, engines, tmp_path):
    """# check 61: outbox, consumers and retries of `work`, while `serve` has the right clock."""
    with serving(kind, engines, tmp_path) as service, working(service, kind, engines, tmp_path, offset):
        for name, deed in LIVES[kind].deeds.items():
            before = service.settle()
            for _ in deed(service):
                before = service.settle()
            assert service.settle() != before, f"{name} had no effect with {offset}"
        if kind == "documents":
            numbered(service)
    print(
        f"check 61: {kind}-work with {offset}: {len(LIVES[kind].deeds)} consumers, outbox and numbers go on"
    )


def numbered(service):
    """Whatever was signed has its number, also where the event had to bring it."""
    found = service.parts.store.collection("documents").scan()
    waiting = [one["_id"] for one in found if one["state"] == "signed"]
    assert not waiting, "signed and never numbered"


def test_obligations_are_ordered_by_their_sequence(engines, tmp_path):
    """# check 61: opened by a process of tomorrow, closed by one of today: closed, whatever the times say."""
    with serving("tasks", engines, tmp_path) as service:
        for offset in ("+1d", "-1d"):
            with working(service, "tasks", engines, tmp_path, offset):
                task = create(service, uuid.uuid4().hex)
                key = task.assignments[0].obligation
                kept = of(service.parts).obligations
                eventually(lambda key=key, kept=kept: kept.find(key), 60)
                complete(service, task)
                eventually(lambda key=key, kept=kept: kept.get(key).closing, 60)
            service.stream.again([one for one in service.stream.everything() if key.encode() in one.data])
            with working(service, "tasks", engines, tmp_path, "+0"):
                service.settle()
                assert kept.get(key).closing.outcome == "done"
    print("check 61: obligations follow their sequence, with +-1 day between the processes")


def complete(service, task):
    from tongban.tasks.v1 import tasks_pb2

    asked = tasks_pb2.CompleteTaskRequest(
        task=task.task, assignment=1, result="已值班", request_id=uuid.uuid4().hex
    )
    return service.call("CompleteTask", asked, tasks_conftest.AS["keyuan"])


@forms.long
def test_no_timer_fires_twice(engines, tmp_path):
    """# check 61: a meeting ends for a clock of the day after tomorrow, again for one of yesterday, and for the right one: once."""
    with serving("meetings", engines, tmp_path) as service:
        made = meetings.call(service, room=meetings.new_room(service), day=-39)
        for offset in ("+3d", "-1d", "+3d", "+0"):
            with working(service, "meetings", engines, tmp_path, offset):
                service.settle()
                if offset == "+3d":
                    eventually(lambda: state(service, made) == "over", 60)
        wanted = f"tongban.{service.settings.service}.v1.obligation.closed"
        told = [
            obligation_pb2.ObligationClosed.FromString(one.data).obligation
            for one in service.stream.everything()
            if one.subject == wanted
        ]
        assert told
        assert len(told) == len(set(told)), "an invitation was closed twice by the clock"
        assert state(service, made) == "over"
    print("check 61: the end of a meeting, under four clocks one after the other: told once")


def state(service, made):
    asked = meetings_pb2.GetMeetingRequest(meeting=made.meeting)
    return service.call("GetMeeting", asked, meetings.AS["mishu"]).state


def test_tokens_by_leeway(engines):
    """# check 61: half a minute is taken, more is refused with a sentence, and nobody waits longer for it."""
    realm = Realm()
    usual, early = "登录已失效，请重新登录。", "登录尚未生效：服务器时间可能不准，请联系系统管理员。"
    expected = {
        "+0": "p1",
        "+20": "p1",
        "-20": "p1",
        "+4m": "p1",
        "+6m": usual,
        "+1d": usual,
        "-5m": early,
        "-1d": early,
    }
    for offset in forms.of(("-20", "+6m", "-1d"), expected):
        wanted = expected[offset]
        child = false_clock(
            offset, "tokens", realm.url, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        said, clock, seconds = json.loads(
            child.communicate(realm.sign() + "\n", timeout=40)[0].splitlines()[-1]
        )
        assert said == wanted, offset
        assert seconds < 5
        if offset.endswith("d"):
            assert abs(clock - time.time()) > 80_000, "the clock was not wrong at all"
    realm.server.shutdown()
    print("check 61: tokens under wrong clocks: within the leeway taken, else refused with a sentence")


@forms.long
def test_a_document_of_a_wrong_clock_keeps_its_order(engines, tmp_path):
    """# check 61: what `work` adds with yesterday's clock does not overtake what people did."""
    with (
        serving("documents", engines, tmp_path) as service,
        working(service, "documents", engines, tmp_path, "-1d"),
    ):
        made = line.signed(service, "fgw")
        sent = documents_pb2.DispatchDocumentRequest(document=made.document, request_id=line.rid())
        service.call("DispatchDocument", sent, line.AS["clerk"])
        service.settle()
        delivery = f"{made.document}|fgw"
        for step in ("SignFor", "Register", "ConcludeDelivery"):
            line.do(service, step, delivery, "fgw-clerk")
        service.settle()
        found = service.call(
            "GetDocument", documents_pb2.GetDocumentRequest(document=made.document), line.AS["clerk"]
        )
        assert found.state == "concluded"
        assert not [item for item in found.items if not item.outcome]
