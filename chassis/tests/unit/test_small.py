"""Clock, aggregate, directory, settings, context, consumer's table: what needs nobody else."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from datetime import UTC, datetime, timedelta, timezone
from types import SimpleNamespace

import pytest
from google.protobuf.message import DecodeError
from tongban.documents.v1 import documents_pb2
from tongban.events.v1 import document_pb2, obligation_pb2
from tongban.portal.v1 import directory_pb2

from chassis import clock, context
from chassis.aggregate import APPLIED, Aggregate, Request
from chassis.consumer import Consumer
from chassis.consuming import Running, Unreadable
from chassis.directory import Directory
from chassis.errors import InvalidInput, Unavailable
from chassis.idempotency import request_key, request_of
from chassis.outbox import envelope, subject
from chassis.settings import SettingMissing, number, text
from chassis.tests.helpers import CLERK, environment, settings


def test_the_stated_time_needs_the_right_signature():
    moment = datetime(2026, 3, 4, 12, 0, 0, 123456, tzinfo=timezone(timedelta(hours=8)))
    header = clock.sign(moment, "key")
    assert clock.stated(header, "key") == moment
    assert clock.stated(header, "other") is None
    assert clock.stated(header, "") is None
    assert clock.stated(clock.sign(moment, ""), "") is None
    assert clock.stated(header.replace("2026", "2025"), "key") is None
    for junk in ("", ";", "2026-01-01", f"{header}é", "é;é"):
        assert clock.stated(junk, "key") is None


def test_now_is_what_mongodb_keeps():
    moment = datetime(2026, 3, 4, 12, 0, 0, 123456, tzinfo=UTC)
    with context.serving(context.Call(now=moment)):
        assert clock.now() == moment.replace(microsecond=123000)
    assert clock.now().microsecond % 1000 == 0
    assert abs(clock.now() - datetime.now(UTC)) < timedelta(seconds=5)


def test_request_ids_are_remembered_with_their_content():
    thing, first = Aggregate(id="a"), Request("k", "digest")
    assert not first.seen(thing)
    first.mark(thing)
    assert first.seen(thing)
    with pytest.raises(InvalidInput) as problem:
        Request("k", "other").seen(thing)
    assert problem.value.reason == "REQUEST_ID_REUSED"
    for count in range(APPLIED):
        Request(f"k{count}").mark(thing)
    assert len(thing.applied) == APPLIED
    assert "k" not in thing.applied


def test_the_same_request_makes_the_same_id_and_others_do_not():
    assert Request("k", "a").new_id("t-") == Request("k", "b").new_id("t-")
    assert Request("k").new_id() != Request("l").new_id()
    assert Request.event("e", "|a") != Request.event("e", "|b")
    keys = {
        request_key("p1", "A", "1"),
        request_key("p2", "A", "1"),
        request_key("p1", "B", "1"),
        request_key("p1", "A", "2"),
    }
    assert len(keys) == 4


def test_a_mutating_request_must_carry_an_id():
    def asked(**fields):
        with context.serving(context.Call(principal=CLERK, method="RemoveFile")):
            return request_of(documents_pb2.RemoveFileRequest(**fields))

    for bad in ("", "short", "x" * 65, "12345678\n", "12345678\x00"):
        with pytest.raises(InvalidInput) as problem:
            asked(request_id=bad)
        assert problem.value.fields.keys() == {"request_id"}
    one, same = asked(request_id="12345678", document="d"), asked(request_id="12345678", document="d")
    assert one == same
    assert asked(request_id="12345678", document="e").digest != one.digest
    assert asked(request_id="12345679", document="d").digest == one.digest
    # The etag says what the caller has seen, not what is asked for.
    with context.serving(context.Call(principal=CLERK, method="UpdateDocument")):
        update = documents_pb2.UpdateDocumentRequest
        old, new = (request_of(update(request_id="12345678", document="d", etag=etag)) for etag in "12")
    assert (old.digest, old.etag, new.etag) == (new.digest, "1", "2")


def test_subjects_follow_from_the_names_of_events():
    assert subject("tasks", "ObligationOpened") == "tongban.tasks.v1.obligation.opened"
    assert subject("documents", "DocumentSignedOff") == "tongban.documents.v1.document.signed_off"
    with pytest.raises(ValueError, match="Opened"):
        subject("tasks", "Opened")


def test_an_envelope_says_who_and_whence():
    call = context.Call(request_id="r1", principal=CLERK, traceparent="00-1-2-01")
    with context.serving(call):
        made = envelope("tasks", obligation_pb2.ObligationClosed(obligation="o"))
    assert made["headers"]["tongban-actor"] == "p1"
    assert made["headers"]["tongban-request"] == "r1"
    assert made["headers"]["traceparent"] == "00-1-2-01"
    assert made["headers"]["ce-source"] == "/tongban/tasks"
    assert made["subject"] == "tongban.tasks.v1.obligation.closed"
    assert obligation_pb2.ObligationClosed.FromString(made["data"]).obligation == "o"


def test_context_outside_and_inside_of_a_call():
    assert context.current().principal is None
    assert context.current().left(7.0) == 7.0
    with context.serving(context.Call(principal=CLERK, deadline=1.0)):
        assert context.current().left() == 0
        context.amend(token="t")
        assert context.current().token == "t"
        assert context.current().principal is CLERK
    assert context.current().token == ""


def test_a_consumer_finds_its_handler_by_subject():
    handler = lambda _event: None  # noqa: E731
    kind = document_pb2.DocumentConcluded
    consumer = Consumer(
        "c", {"tongban.*.v1.obligation.opened": (kind, handler), "tongban.a.v1.x.y": (kind, handler)}
    )
    assert consumer.find("tongban.tasks.v1.obligation.opened") == (kind, handler)
    for other in ("tongban.tasks.v1.obligation.closed", "tongban.tasks.v1.obligation", "tongban.a.v1.x.y.z"):
        assert consumer.find(other) is None


@pytest.mark.parametrize(
    ("headers", "data"),
    [
        ({"ce-id": "e", "ce-time": "2026-01-01T00:00:00+00:00"}, b"\xff\xff"),
        ({"ce-id": "e", "ce-time": "yesterday"}, b""),
        ({"ce-id": "e"}, b""),
        ({"ce-time": "2026-01-01T00:00:00+00:00"}, b""),
    ],
)
def test_an_event_that_cannot_be_read_says_so(headers, data):
    consumer = Consumer("c", {"tongban.a.v1.x.y": (obligation_pb2.ObligationClosed, lambda _event: None)})
    running = Running("s", consumer, None)
    with pytest.raises(Unreadable) as problem:
        running._handle("tongban.a.v1.x.y", headers, data)
    assert isinstance(problem.value.__cause__, KeyError | ValueError | DecodeError)


class Delivery:
    """One delivery of an event; notes what is answered to it."""

    def __init__(self, headers):
        self.headers, self.subject, self.data = headers, "tongban.a.v1.x.y", b""
        self.metadata = SimpleNamespace(sequence=SimpleNamespace(stream=1))
        self.answers = []

    async def nak(self, delay=None):
        self.answers.append("nak")

    async def ack(self):
        self.answers.append("ack")


def test_a_handler_that_runs_out_of_an_iterator_fails_like_any_other():
    def handler(_event):
        next(iter(()))

    async def told():
        running = Running(
            "s", Consumer("c", {"tongban.a.v1.x.y": (obligation_pb2.ObligationClosed, handler)}), None
        )
        message = Delivery({"ce-id": "e1", "ce-time": "2026-03-04T05:06:07+00:00"})
        await asyncio.wait_for(running._one(message), 5)
        return message.answers, dict(running._failures)

    assert asyncio.run(told()) == (["nak"], {1: 1})


@pytest.fixture
def directory():
    made = Directory()
    units = [
        ("qzf", "云溪区人民政府", "", "organisation"),
        ("fgw", "发展和改革局", "qzf", "organisation"),
        ("fgw-tz", "投资科", "fgw", "division"),
    ]
    for order, (unit, name, parent, kind) in enumerate(units):
        message = directory_pb2.Unit(unit=unit, name=name, parent=parent, kind=kind, order=10 - order)
        made.on_entry(f"unit.{unit}", message.SerializeToString())
    people = [
        ("z", "张三", ["fgw-tz:head"], False),
        ("l", "李四", ["fgw:registrar", "fgw-tz:member"], False),
        ("w", "王五", ["fgw-tz:head"], True),
    ]
    for person, name, posts, disabled in people:
        message = directory_pb2.Person(
            person=person, username=person, name=name, posts=posts, disabled=disabled
        )
        made.on_entry(f"person.{person}", message.SerializeToString())
    return made


def test_directory_names(directory):
    assert directory.unit_name("fgw") == "发展和改革局"
    assert directory.unit_name("gone") == "（已撤销单位）"
    assert directory.person_name("z") == "张三"
    assert directory.person_name("gone") == "（已注销人员）"
    assert directory.person_name("") == "系统"


def test_directory_holders_and_tree(directory):
    assert [one.person for one in directory.holders("fgw-tz:head")] == ["z"]
    assert [one.person for one in directory.holders("fgw-tz:member")] == ["l", "z"]
    assert directory.holders("gone:head") == []
    assert directory.organisation("fgw-tz") == "fgw"
    assert directory.organisation("gone") == ""
    assert [one.unit for one in directory.units()] == ["fgw-tz", "fgw", "qzf"]
    assert [one.unit for one in directory.children("qzf")] == ["fgw"]
    # A circle, as a wrong entry could make it, is walked once.
    directory.on_entry("unit.qzf", directory_pb2.Unit(unit="qzf", parent="fgw-tz").SerializeToString())
    assert [one.unit for one in directory.upward("fgw")] == ["fgw", "qzf", "fgw-tz"]


def test_directory_follows_changes(directory):
    directory.on_entry("person.z", directory_pb2.Person(person="z", name="张三丰").SerializeToString())
    assert directory.person_name("z") == "张三丰"
    directory.on_entry("person.z", None)
    directory.on_entry("unit.fgw", None)
    directory.on_entry("unit.fgw", None)
    directory.on_entry("other.x", b"\xff")
    assert directory.person("z") is None
    assert directory.unit("fgw") is None


def test_a_setting_that_is_missing_or_wrong_is_named(monkeypatch, tmp_path):
    monkeypatch.setenv("TONGBAN_THREADS", "many")
    with pytest.raises(SettingMissing, match="TONGBAN_THREADS"):
        number("THREADS", 16)
    monkeypatch.setenv("TONGBAN_THREADS", "")
    assert number("THREADS", 16) == 16
    assert text("NOTHING", "x") == "x"
    with pytest.raises(SettingMissing, match="svc-x"):
        settings(tmp_path).secret("svc-x")
    assert settings(tmp_path).optional_secret("demo-key") == ""


def test_without_an_endpoint_nothing_of_opentelemetry_is_imported():
    code = (
        "import sys, json\nfrom chassis import process, telemetry\ntelemetry.start('s', 'p')\n"
        "with telemetry.span('x', '00-a-b-01') as trace: assert trace == '00-a-b-01'\n"
        "print(json.dumps([name for name in sys.modules if 'opentelemetry' in name]))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment()
    )
    assert json.loads(done.stdout) == []


def test_nobody_is_said_to_be_gone_before_the_directory_is_there():
    """A service that has just been renewed refused people whom it did not know yet."""

    class Bus:
        def watch(self, _bucket, on_entry, on_ready):
            self.on_entry, self.on_ready = on_entry, on_ready

    bus = Bus()
    made = Directory(bus)
    for ask in (
        lambda: made.unit("fgw"), lambda: made.person("p1"), lambda: made.answering("p:p1"), lambda: made.holders("fgw:registrar"),
        lambda: made.organisation("fgw"),
    ):  # fmt: skip
        with pytest.raises(Unavailable):
            ask()
    assert made.unit_name("fgw") == "（已撤销单位）"
    bus.on_entry(
        "unit.fgw", directory_pb2.Unit(unit="fgw", name="发改委", kind="organisation").SerializeToString()
    )
    bus.on_ready()
    assert made.organisation("fgw") == "fgw"
    assert made.person("p1") is None
