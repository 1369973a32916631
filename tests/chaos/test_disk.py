"""Full disks under the database, the broker, the logs and the uploads: writes are refused with a sentence, reading goes on."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import threading
import uuid
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from tongban.events.v1 import obligation_pb2

from chassis.aggregate import Request
from chassis.bus_thread import BusThread
from chassis.errors import TongbanError, Unavailable
from chassis.files import Files
from chassis.store import Store
from chassis.streams import STREAM
from chassis.tests.helpers import Thing, environment, settings, things
from deploy.edge import render
from deploy.edge.tests.alone import NGINX, alone
from deploy.local.stack import Stack
from tests.chaos import forms
from tests.chaos.killing import Broken
from tests.chaos.volumes import MEGABYTES, volume
from tests.checks.stream import Stream
from tests.inprocess import eventually

pytestmark = [pytest.mark.integration, pytest.mark.timeout(300)]
SUBJECT = "tongban.chaos.v1.chaos.sent"
HEADERS = {"ce-time": "2026-11-22T00:00:00+00:00", "ce-source": "/tongban/chaos"}


def refusal(call):
    """What a call is refused with; None when it works."""
    try:
        call()
    except TongbanError as problem:
        return problem
    return None


@contextlib.contextmanager
def engine(tmp_path, name):
    """One engine whose data lie on a disk of 8 MB."""
    own = tmp_path / "own"
    with volume(own / name) as disk, Stack(own, engines=(name,), applications=False) as stack:
        yield stack, disk


def test_the_database_disk_is_full(tmp_path):
    """# check 60: the store"""
    with engine(tmp_path, "mongo") as (stack, disk):
        store = Store(settings(tmp_path, mongo_uri=stack.env["TONGBAN_MONGO_URI"]))
        kept, files = things(store, settings(tmp_path)), Files(store)
        kept.add(Thing(id="first"), Request("first"))
        digest = files.put([b"kept" * 1000]).digest
        pid, acknowledged, number = stack.pid("mongo"), ["first"], 0

        def write(size=20_000):
            nonlocal number
            number += 1
            key = f"t{number}"
            kept.add(Thing(id=key, words={"text": "字" * (size // 3)}), Request(key))
            acknowledged.append(key)

        # Filled by what is written into it, in small pieces and in large ones; then by somebody else, to the last byte.
        refused = []
        for fill in (None, disk.fill):
            if fill:
                fill()
            refused.append(eventually(lambda: refusal(write), 60))
            for _ in range(5):
                refused += [refusal(lambda: files.put([b"x" * (3 << 20)])), refusal(write)]
            assert {(type(one), one.reason) for one in refused if one} == {(Unavailable, "STORE_FULL")}
            assert all("存储空间已满" in one.zh for one in refused if one)
            assert kept.get("first").id == "first"
            assert files.content(digest) == b"kept" * 1000
            assert set(kept.get_many(acknowledged)) == set(acknowledged)
        assert stack.pid("mongo") == pid, "the database has ended"
        with Broken(stack, "mongo"):
            pass
        # A full disk is no reason not to start, and what was acknowledged is there.
        eventually(lambda: refusal(store.ping) is None, 30)
        assert set(kept.get_many(acknowledged)) == set(acknowledged)
        assert refusal(write).reason == "STORE_FULL"
        before = len(acknowledged)
        disk.empty()
        disk.grow(4 * MEGABYTES)
        for _ in range(20):
            write()
        assert set(kept.get_many(acknowledged)) == set(acknowledged)
        store.close()
        print(
            f"check 60 (store): full after {before} records; {len(refused)} writes 503 with a sentence, reads work, 0 lost,"
            " written on when there was room"
        )


@forms.long
def test_the_broker_disk_is_full(tmp_path, monkeypatch):
    """# check 60: the stream"""
    monkeypatch.setenv("TONGBAN_STREAM_BYTES", str(3 << 20))
    monkeypatch.setenv("TONGBAN_DEAD_BYTES", str(1 << 20))
    with engine(tmp_path, "nats") as (stack, disk):
        given = settings(tmp_path, nats_url=stack.env["TONGBAN_NATS_URL"])
        bus = BusThread(given).start()
        assert bus.connected.wait(20)
        body = obligation_pb2.ObligationClosed(obligation="字" * 3000).SerializeToString()
        acknowledged, refused = [], []

        def send():
            event = uuid.uuid4().hex
            problem = refusal(lambda: bus.publish(SUBJECT, body, HEADERS, event))
            if problem is None:
                acknowledged.append(event)
            else:
                refused.append(problem)
            return problem

        for _ in range(20):
            assert send() is None
        disk.fill()
        eventually(send, 30)
        for _ in range(3):
            send()
        assert {(type(one), one.reason) for one in refused} == {(Unavailable, "BROKER_UNAVAILABLE")}
        for number, event in enumerate(acknowledged[:20], 1):
            # What is there can be read.
            assert bus.run(bus.bus.js.get_msg(STREAM, number), 10).headers["ce-id"] == event
        # Killed meanwhile, it waits for room, for on a full disk it would come up without its streams.
        stack.kill("nats", hold=False)
        refused.append(eventually(send))
        disk.empty()
        eventually(lambda: send() is None, 60)
        # And once more without a kill: it refuses everything from then on, so it is started anew when there is room.
        disk.fill()
        eventually(send, 30)
        disk.empty()
        eventually(lambda: send() is None, 60)
        stream = Stream(given)
        told = [one.headers["ce-id"] for one in stream.everything()]
        assert set(acknowledged) <= set(told), "an acknowledged event is gone"
        assert len(told) == len(set(told))
        assert all(one.data == body for one in stream.everything())
        stream.close()
        bus.close()
        print(
            f"check 60 (stream): {len(acknowledged)} acknowledged, {len(refused)} refused while full, 0 lost, goes on by itself"
        )


class Taking(BaseHTTPRequestHandler):
    """Takes whatever is sent, and says how much that was."""

    def do_GET(self):
        self.do_POST()

    def do_POST(self):
        taken = len(self.rfile.read(int(self.headers.get("Content-Length", 0))))
        self.send_response(200)
        self.end_headers()
        self.wfile.write(str(taken).encode())

    def log_message(self, *_):
        """Quiet."""


@pytest.mark.skipif(not NGINX, reason="nginx is not installed")
def test_the_disk_for_uploads_is_full(tmp_path, monkeypatch):
    """# check 60: the edge, which keeps a large body on its disk until it has come whole."""
    monkeypatch.setattr(render, "MEMORY", tmp_path / "none")
    server = ThreadingHTTPServer(("127.0.0.1", 0), Taking)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    body = b"x" * (3 << 20)
    with volume(tmp_path / "edge" / "temp") as disk, alone(tmp_path, server.server_port) as edge:

        def send():
            return edge.client.post("/api/v1/x", content=body)

        room = disk.free
        assert send().text == str(len(body))
        eventually(lambda: disk.free >= room)  # the edge gives it back a moment after the answer
        disk.fill()
        refused = [send() for _ in range(20)]
        assert {one.status_code for one in refused} == {503}
        assert {one.headers["content-type"] for one in refused} == {"application/problem+json"}
        # What needs no room goes on.
        assert edge.client.post("/api/v1/x", content=b"little").text == "6"
        assert edge.client.get("/auth/login").status_code == 200
        disk.empty()
        assert send().text == str(len(body))
        assert not [one for one in disk.path.rglob("*") if one.is_file()], "half a body was left behind"
    server.shutdown()
    server.server_close()
    print(
        f"check 60 (uploads): {len(refused)} refused with 503 while full, small ones and reading go on, well again with room"
    )


CHATTER = """
import sys, time
from chassis import log
log.configure("chaos", "test")
say = log.get("chaos")
for line in sys.stdin:
    for number in range(200):
        say.info("said", number=number, text="字" * 100)
    open(sys.argv[1], "a").write(line)
"""


def test_the_log_disk_is_full(tmp_path):
    """# check 60: the log; a process that cannot say what it does goes on doing it."""
    answers = tmp_path / "answers"
    with volume(tmp_path / "logs") as disk, (disk.path / "chaos.log").open("ab") as out:
        child = subprocess.Popen(
            [sys.executable, "-c", CHATTER, str(answers)], stdin=subprocess.PIPE, stdout=out, stderr=out,
            env=environment(PYTHONUNBUFFERED="1"), text=True,
        )  # fmt: skip

        def works(word):
            child.stdin.write(f"{word}\n")
            child.stdin.flush()
            eventually(lambda: answers.exists() and word in answers.read_text(), 20)

        works("before")
        disk.fill()
        works("while")
        works("still")
        disk.empty()
        works("after")
        child.stdin.close()
        assert child.wait(20) == 0
        lines = (disk.path / "chaos.log").read_text(errors="replace").splitlines()
        assert json.loads(lines[0])["event"] == "said"
        assert json.loads(lines[-1])["number"] == 199, "it says again what it does once there is room"
    print("check 60 (log): the process works on without its log, and logs again when there is room")
