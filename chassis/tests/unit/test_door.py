"""The door of every service, from the outside: who comes in, until when, what leaves it, what is written down."""

from __future__ import annotations

import io
import json
import logging
import threading
import time
from datetime import UTC, datetime

import grpc
import pytest
from google.protobuf import any_pb2
from google.rpc import error_details_pb2, status_pb2

from chassis import clock, context, log, telemetry
from chassis.door import Door
from chassis.errors import Conflict, NotFound, TongbanError, from_rpc_error
from chassis.health import Health
from chassis.server import Threads, build
from chassis.tests.helpers import TOKEN, Answer, OneToken, Request, Stub, serving, settings
from tests.inprocess import eventually

GOOD = ("authorization", f"Bearer {TOKEN}")
SECRET = "password=hunter2"


@pytest.fixture
def lines():
    """What is logged, as read from the process's output."""
    kept, root = io.StringIO(), logging.getLogger()
    before, level = root.handlers[:], root.level
    log.configure("test", "unit")
    root.handlers[0].setStream(kept)
    yield lambda: [json.loads(line) for line in kept.getvalue().splitlines()]
    root.handlers[:] = before
    root.setLevel(level)


@pytest.fixture
def door(tmp_path):
    """door(**methods) → stub of a server with these methods."""
    opened = []

    def make(**methods):
        server = serving(settings(tmp_path), **methods)
        channel = grpc.insecure_channel(f"127.0.0.1:{server.__enter__()}")
        opened.append((channel, server))
        return Stub(channel)

    yield make
    for channel, server in opened:
        channel.close()
        server.__exit__(None, None, None)


def failed(call):
    with pytest.raises(grpc.RpcError) as problem:
        call()
    return from_rpc_error(problem.value)


def one(stub, *metadata, seconds=5, method="One"):
    return getattr(stub, method)(Request(document="d"), timeout=seconds, metadata=[GOOD, *metadata])


def test_who_is_not_in_the_table_is_refused(door):
    stub = door(One=lambda *_: Answer(document="x"), Missing=lambda *_: pytest.fail("came through"))
    assert one(stub).document == "x"
    assert failed(lambda: one(stub, method="Missing")).reason == "NOT_YOUR_ROLE"
    with pytest.raises(grpc.RpcError) as problem:
        one(stub, method="Absent")
    assert problem.value.code() is grpc.StatusCode.UNIMPLEMENTED


def test_the_table_names_callers(tmp_path):
    for allowed, reason in (
        (frozenset({"leader"}), "NOT_YOUR_ROLE"),
        (frozenset(), "NOT_YOUR_ROLE"),
        (frozenset({"member"}), ""),
    ):
        with serving(settings(tmp_path), {"One": allowed}, One=lambda *_: Answer()) as port:
            stub = Stub(grpc.insecure_channel(f"127.0.0.1:{port}"))
            if reason:
                assert failed(lambda stub=stub: one(stub)).reason == reason
            else:
                one(stub)


@pytest.mark.parametrize(
    "given", [None, "", "Bearer", "Bearer ", f"Basic {TOKEN}", TOKEN, f"Bearer {TOKEN}x"]
)
def test_without_a_good_token_nobody_comes_in(door, given):
    stub = door(
        One=lambda *_: pytest.fail("came through"), Give=lambda *_: iter([pytest.fail("came through")])
    )
    metadata = [("authorization", given)] if given is not None else []
    for call in (stub.One, lambda request, **more: list(stub.Give(request, **more))):
        assert (
            failed(lambda call=call: call(Request(), timeout=5, metadata=metadata)).reason == "NOT_SIGNED_IN"
        )


def test_a_handler_knows_the_call(door):
    seen = []

    def handler(_request, _rpc):
        seen.append(context.current())
        return Answer()

    stub = door(One=handler)
    trace = f"00-{'a' * 32}-{'b' * 16}-01"
    one(stub, ("x-request-id", "abc-1"), ("traceparent", trace), seconds=3)
    call = seen.pop()
    assert (call.request_id, call.method, call.token, call.traceparent) == ("abc-1", "One", TOKEN, trace)
    assert call.principal.person == "p1"
    assert 1 < call.left() <= 3.1
    # What is no request id and no trace is not handed on: others begin here.
    one(stub, ("x-request-id", "a b;c"), ("traceparent", "x" * 4000))
    call = seen.pop()
    assert len(call.request_id) == 32
    assert telemetry.received(call.traceparent)
    assert call.traceparent[3:35] != trace[3:35]
    # A caller without a deadline has one all the same.
    stub.One(Request(), metadata=[GOOD])
    assert 25 < seen.pop().left() <= 30.1


def test_the_demonstration_clock_needs_the_key(tmp_path):
    moment = datetime(2020, 1, 2, 3, 4, 5, tzinfo=UTC)
    seen = []

    def handler(_request, _rpc):
        seen.append(clock.now())
        return Answer()

    def at(*headers):
        with serving(settings(tmp_path), One=handler) as port:
            for header in headers:
                one(Stub(grpc.insecure_channel(f"127.0.0.1:{port}")), (clock.HEADER, header))

    at(clock.sign(moment, "key"), clock.sign(moment, ""))
    assert all(time.year > 2020 for time in seen)
    seen.clear()
    (tmp_path / "demo-key").write_text("key\n")
    at(clock.sign(moment, "key"), clock.sign(moment, "other"), "nonsense")
    assert seen[0] == moment
    assert all(time.year > 2020 for time in seen[1:])


def test_a_call_that_waited_too_long_is_not_begun(tmp_path, monkeypatch):
    """Work for somebody who has gone would only make an overload last."""
    monkeypatch.setenv("TONGBAN_THREADS", "1")
    begun, gate = [], threading.Event()

    def handler(request, _rpc):
        begun.append(request.document)
        gate.wait(5)
        return Answer()

    with serving(settings(tmp_path), One=handler) as port:
        stub = Stub(grpc.insecure_channel(f"127.0.0.1:{port}"))
        first = stub.One.future(Request(document="first"), timeout=5, metadata=[GOOD])
        eventually(lambda: begun)
        assert failed(lambda: one(stub, seconds=0.2)).reason == "TIMED_OUT"
        gate.set()
        first.result()
        one(stub)
    assert begun == ["first", "d"]


def test_errors_leave_typed(door, lines):
    def known(_request, _rpc):
        raise Conflict("CHANGED", "已变。", "Changed.", {"etag": "旧。"})

    def unknown(_request, _rpc):
        raise RuntimeError(SECRET)

    def known_stream(_request, _rpc):
        yield Answer(document="1")
        raise NotFound("GONE", "没有。")

    def unknown_stream(_request, _rpc):
        yield Answer(document="1")
        raise KeyError(SECRET)

    stub = door(One=known, Give=known_stream, Take=unknown, Talk=unknown_stream)
    error = failed(lambda: one(stub))
    assert (type(error), error.reason, error.fields) == (Conflict, "CHANGED", {"etag": "旧。"})
    stream = one(stub, method="Give")
    assert next(stream).document == "1"
    assert failed(lambda: next(stream)).reason == "GONE"
    for method in ("Take", "Talk"):
        metadata = [GOOD, ("x-request-id", f"id-{method}")]

        def call(method=method, metadata=metadata):
            answer = getattr(stub, method)(iter([Request()]), timeout=5, metadata=metadata)
            return list(answer) if method == "Talk" else answer

        with pytest.raises(grpc.RpcError) as problem:
            call()
        told = f"{problem.value.details()} {problem.value.trailing_metadata()}"
        error = from_rpc_error(problem.value)
        assert SECRET not in told
        assert "Traceback" not in told
        assert f"id-{method}" in error.zh
        assert error.reason == "INTERNAL"
    # For us the text is there, beside the same number.
    said = [line for line in lines() if line["event"] == "unexpected"]
    assert {line["request_id"] for line in said} == {"id-Take", "id-Talk"}
    assert all(SECRET in line["exception"] for line in said)


def test_an_error_of_a_service_behind_keeps_its_kind_and_loses_its_text(door):
    class Behind(grpc.RpcError, grpc.Call):
        def code(self):
            return grpc.StatusCode.UNAVAILABLE

        def details(self):
            return SECRET

        def trailing_metadata(self):
            packed = any_pb2.Any()
            packed.Pack(error_details_pb2.DebugInfo(detail=SECRET))
            status = status_pb2.Status(code=14, message=SECRET, details=[packed])
            return (("grpc-status-details-bin", status.SerializeToString()),)

        add_callback = cancel = initial_metadata = is_active = time_remaining = None

    def handler(_request, _rpc):
        raise Behind

    stub = door(One=handler)
    with pytest.raises(grpc.RpcError) as problem:
        one(stub)
    assert from_rpc_error(problem.value).reason == "UNAVAILABLE"
    assert SECRET not in f"{problem.value.details()} {problem.value.trailing_metadata()}"


def test_one_line_per_call(door, lines):
    """# check 35: CR, LF and ANSI in what is logged stay on one line, and secrets are cut out by name."""
    nasty = 'a\r\nb\x1b[31m\x9b31m\x85\u2028\u2029"}\n{"event": "forged"}'
    logger = log.get("test")

    def handler(request, _rpc):
        logger.info(
            "work",
            title=nasty,
            nested={"access_token": "abc", "fine": nasty},
            Cookie="abc",
            db_password="abc",
            plain="正文",
        )
        logging.getLogger("library").warning("%s", nasty)
        return Answer()

    stub = door(
        One=handler,
        Take=lambda requests, _rpc: Answer(document=str(len(list(requests)))),
        Give=lambda *_: iter([Answer()]),
    )
    one(stub, ("x-request-id", "r1"))
    assert (
        stub.Take(iter([Request(), Request()]), timeout=5, metadata=[GOOD, ("x-request-id", "r2")]).document
        == "2"
    )
    list(one(stub, ("x-request-id", "r3"), method="Give"))
    failed(lambda: stub.One(Request(), timeout=5, metadata=[("x-request-id", "r4")]))
    eventually(lambda: len([line for line in lines() if line["event"] == "call"]) == 4)

    found = lines()
    calls = {line["request_id"]: line for line in found if line["event"] == "call"}
    assert [calls[f"r{number}"]["outcome"] for number in (1, 2, 3, 4)] == ["OK", "OK", "OK", "NOT_SIGNED_IN"]
    assert [calls[f"r{number}"].get("person") for number in (1, 2, 3, 4)] == ["p1", "p1", "p1", None]
    assert {line["service"] for line in found} == {"test"}
    assert all({"ms", "method", "timestamp", "level"} <= line.keys() for line in calls.values())
    work = next(line for line in found if line["event"] == "work")
    assert work["title"] == nasty
    assert (work["plain"], work["person"], work["request_id"]) == ("正文", "p1", "r1")
    assert [work["Cookie"], work["db_password"], work["nested"]["access_token"]] == ["[removed]"] * 3
    assert work["nested"]["fine"] == nasty
    assert len(found) == 6
    print("check 35: 6 events with CR, LF, ANSI, C1, U+2028 in their fields, 6 lines")


def test_raw_lines_hold_no_control_characters():
    hidden = "".join(map(chr, [*range(0x20), *range(0x7F, 0xA0), 0x2028, 0x2029, 0xD800]))
    written = log._render(None, "info", {"event": f"正{hidden}文"})
    assert written.startswith('{"event": "正\\u0000')
    assert not set(written) & set(hidden)
    assert json.loads(written)["event"] == f"正{hidden}文"


def test_a_reader_who_leaves_ends_the_stream(door, lines):
    ended = threading.Event()

    def endless(_request, _rpc):
        try:
            while True:
                yield Answer(document="x" * 1000)
                time.sleep(0.001)
        finally:
            ended.set()

    stub = door(Give=endless)
    stream = one(stub, method="Give")
    next(stream)
    stream.cancel()
    assert ended.wait(5)
    eventually(lambda: [line["outcome"] for line in lines() if line["event"] == "call"] == ["CANCELLED"])


def test_the_context_does_not_leak_from_call_to_call(door):
    seen = []

    def handler(_request, _rpc):
        context.amend(token="left over")
        return Answer()

    stub = door(One=handler, Give=lambda *_: seen.append(context.current().token) or iter([Answer()]))
    for _ in range(40):
        one(stub)
        list(one(stub, method="Give"))
    assert set(seen) == {TOKEN}
    assert context.current().token == ""


def test_a_stop_lets_calls_under_way_finish(tmp_path):
    begun, gate = threading.Event(), threading.Event()

    def handler(_request, _rpc):
        begun.set()
        gate.wait(5)
        return Answer(document="finished")

    server = build(settings(tmp_path), OneToken(), {"One": frozenset({"person"})}, Health({}, {}))
    made = grpc.unary_unary_rpc_method_handler(handler, Request.FromString, Answer.SerializeToString)
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("test.v1.Test", {"One": made}),))
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    stub = Stub(grpc.insecure_channel(f"127.0.0.1:{port}"))
    under_way = stub.One.future(Request(), timeout=5, metadata=[GOOD])
    assert begun.wait(5)
    stopping = server.stop(5)
    # Nobody new comes in.
    assert isinstance(
        failed(lambda: one(Stub(grpc.insecure_channel(f"127.0.0.1:{port}")), seconds=1)), TongbanError
    )
    assert not stopping.is_set()
    gate.set()
    assert under_way.result().document == "finished"
    assert stopping.wait(5)


def test_every_shape_of_method_is_wrapped(tmp_path):
    door = Door(settings(tmp_path), OneToken(), {})
    assert (
        door.intercept_service(
            lambda _details: None, type("D", (), {"method": "/x/Y", "invocation_metadata": ()})
        )
        is None
    )


def test_a_server_needs_no_new_thread_for_a_call(monkeypatch):
    """# check 62: where none can be begun."""
    pool = Threads(4)

    def refuse(_thread):
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", refuse)
    assert [one.result(10) for one in [pool.submit(int, number) for number in range(40)]] == list(range(40))
    monkeypatch.undo()
    pool.shutdown()
