"""`serve` and `work` as the supervisor runs them: they begin, say so, and end as they should; and a trace goes through both."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
import threading
import uuid
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from chassis.errors import from_rpc_error
from chassis.tests.helpers import ROOT, Realm, Request, Stub, environment
from tests.inprocess import eventually

pytestmark = pytest.mark.integration


class Collector:
    """Takes spans in as an OpenTelemetry collector does."""

    def __init__(self):
        self.spans, collector = [], self

        class Answers(BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                if self.headers.get("Content-Encoding") == "gzip":
                    import gzip

                    body = gzip.decompress(body)
                for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
                    names = {one.key: one.value.string_value for one in resource.resource.attributes}
                    for scope in resource.scope_spans:
                        collector.spans += [(names["tongban.process"], span) for span in scope.spans]
                self.send_response(200)
                self.end_headers()

            def log_message(self, *_):
                """Quiet."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Answers)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self.server.server_port}"


@pytest.fixture(scope="module")
def realm():
    made = Realm()
    yield made
    made.server.shutdown()
    made.server.server_close()


def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


@pytest.fixture
def tiny(given, realm, tmp_path):
    """tiny(verb, **environment) starts a process of the service; its output is a list of JSON lines."""
    port, opened = free_port(), []

    def start(verb, **more):
        platform = {
            "TONGBAN_SERVICE": given.service, "TONGBAN_PROCESS": verb, "TONGBAN_PUBLIC_URL": given.public_url,
            "TONGBAN_MONGO_URI": given.mongo_uri, "TONGBAN_NATS_URL": given.nats_url, "TONGBAN_KEYCLOAK_URL": realm.url,
            "TONGBAN_VAR": str(tmp_path), "TONGBAN_SECRETS": str(tmp_path), "TONGBAN_GRPC": f"127.0.0.1:{port}",
        }  # fmt: skip
        log = tmp_path / f"{verb}{len(opened)}.log"
        with log.open("w") as out:
            command = [sys.executable, "-m", "chassis.tests.tiny", verb]
            one = subprocess.Popen(
                command,
                env=environment(**{**platform, **more}),
                stdout=out,
                stderr=subprocess.STDOUT,
                cwd=ROOT,
            )
        one.log = log
        one.lines = lambda: [json.loads(line) for line in log.read_text().splitlines()]
        one.events = lambda: [line["event"] for line in one.lines()]
        opened.append(one)
        return one

    start.port = port
    start.ready = tmp_path / "ready" / f"{given.service}-work"
    yield start
    for one in opened:
        one.kill()
        one.wait()


def call(port, token, document, *metadata, seconds=10):
    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        request = Request(document=document, request_id=uuid.uuid4().hex)
        return (
            Stub(channel)
            .One(request, timeout=seconds, metadata=[("authorization", f"Bearer {token}"), *metadata])
            .document
        )


def serving(port):
    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        try:
            answer = health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest(), timeout=5)
        except grpc.RpcError:
            return False
        return answer.status == health_pb2.HealthCheckResponse.SERVING


def test_a_call_and_its_event_with_one_trace(tiny, realm, store):
    collector = Collector()
    traced = {"TONGBAN_OTLP_ENDPOINT": collector.url, "OTEL_BSP_SCHEDULE_DELAY": "200"}
    serve, work = tiny("serve", **traced), tiny("work", **traced)
    eventually(tiny.ready.exists, 60)
    eventually(lambda: serving(tiny.port), 60)
    trace, parent = uuid.uuid4().hex, uuid.uuid4().hex[:16]
    token = realm.sign()
    assert (
        call(tiny.port, token, "t", ("traceparent", f"00-{trace}-{parent}-01"), ("x-request-id", "req-1"))
        == "1"
    )
    (seen,) = eventually(lambda: list(store.collection("seen").scan()))
    with pytest.raises(grpc.RpcError) as problem:
        call(tiny.port, token, "crash", ("traceparent", f"00-{trace}-{parent}-01"), ("x-request-id", "req-2"))
    assert "req-2" in from_rpc_error(problem.value).zh

    spans = eventually(
        lambda: (
            len(found := [one for one in collector.spans if one[1].trace_id.hex() == trace]) == 3 and found
        )
    )
    called, failed, handled = sorted(spans, key=lambda one: (one[0], one[1].status.code))
    assert (called[0], handled[0]) == ("serve", "work")
    assert called[1].parent_span_id.hex() == failed[1].parent_span_id.hex() == parent
    assert called[1].name == "/test.v1.Test/One"
    assert handled[1].parent_span_id == called[1].span_id
    assert failed[1].status.code == 2  # ERROR
    assert seen["traceparent"] == f"00-{trace}-{handled[1].span_id.hex()}-01"

    assert "hunter2" not in f"{problem.value}"

    for one in (serve, work):
        one.send_signal(signal.SIGTERM)
    assert [one.wait(60) for one in (serve, work)] == [0, 0]
    for one in (serve, work):
        assert one.events()[-1] == "stopped"
        assert "unexpected" not in one.events()[one.events().index("stopped") :]
    collector.server.shutdown()
    # Written by a thread of its own, and all of it before the process ended.
    lines = [line for line in serve.lines() if line["event"] == "call"]
    assert [(line["request_id"], line["person"], line["outcome"]) for line in lines] == [
        ("req-1", "p1", "OK"),
        ("req-2", "p1", "INTERNAL"),
    ]


def test_serve_finishes_calls_under_way(tiny, realm, tmp_path):
    serve = tiny("serve")
    eventually(lambda: serving(tiny.port), 60)
    token, answers = realm.sign(), []
    under_way = threading.Thread(target=lambda: answers.append(call(tiny.port, token, "slow", seconds=30)))
    under_way.start()
    eventually((tmp_path / "slow").exists, 30)
    serve.send_signal(signal.SIGTERM)
    # Nobody new; who is inside is served.
    eventually(lambda: not serving(tiny.port), 30)
    under_way.join(30)
    assert answers == ["done"]
    assert serve.wait(60) == 0


def test_a_server_that_takes_no_calls_ends_so_that_it_is_started_anew(tiny, realm):
    """# check 62"""
    serve = tiny("serve")
    eventually(lambda: serving(tiny.port), 60)
    token = realm.sign()
    assert call(tiny.port, token, "deaf") == "last"
    with pytest.raises(grpc.RpcError):
        call(tiny.port, token, "t", seconds=3)
    assert serve.wait(60) == 1
    # Beside the library's own words, which are no JSON.
    assert '"serve ends"' in serve.log.read_text()


def test_a_job_that_breaks_ends_work_with_status_1(tiny):
    """So that the supervisor starts it again; a job that merely ends is no such reason."""
    work = tiny("work", TINY_BREAKS="0.5")
    assert work.wait(60) == 1
    last = next(line for line in work.lines() if line["event"] == "work ends")
    assert "the job broke" in last["exception"]
    assert last["level"] == "error"
    assert tiny.ready.exists()


def test_work_stops_also_while_it_waits_for_the_broker(tiny):
    work = tiny("work", TONGBAN_NATS_URL="nats://127.0.0.1:9")
    eventually(lambda: "broker" in work.events(), 60)
    assert not tiny.ready.exists()
    work.send_signal(signal.SIGTERM)
    assert work.wait(60) == 0


def test_what_is_missing_is_named_in_one_sentence(tiny):
    wrong = [
        ("serve", {"TONGBAN_MONGO_URI": ""}, "The setting TONGBAN_MONGO_URI is missing.\n"),
        ("serve", {"TONGBAN_GRPC": ""}, "The setting TONGBAN_GRPC is missing.\n"),
        ("dance", {}, "usage: python -m … {serve|work|rebuild-index|put-back}\n"),
    ]
    started = [tiny(verb, **more) for verb, more, _ in wrong]
    for one, (_, _, sentence) in zip(started, wrong, strict=True):
        assert one.wait(60) == 1
        assert one.log.read_text().endswith(sentence)
        assert "Traceback" not in one.log.read_text()
