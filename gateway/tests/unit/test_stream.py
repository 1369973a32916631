import asyncio
import json

import pytest

from chassis.streams import push_subject
from gateway import stream, sweeping
from gateway.holders import QUEUE, SESSION_ENDED, Holders
from gateway.stream import Stream, as_event, written
from gateway.tests.unit import fakes


def test_everybody_hears_what_is_theirs():
    async def scene():
        holders = Holders()
        one = holders.enter("p1", "login1", {"all", "p:p1", "u:fgw:registrar"})
        two = holders.enter("p2", "login2", {"all", "p:p2", "u:fgw:member"})
        holders.push(push_subject("u:fgw:registrar"), ("todo", {"n": 1}))
        holders.push(push_subject("p:p2"), ("todo", {"n": 2}))
        holders.push(push_subject("all"), ("notice", {}))
        holders.push(push_subject("u:zfb"), ("todo", {"n": 3}))
        assert [one.queue.get_nowait() for _ in range(one.queue.qsize())] == [
            ("todo", {"n": 1}),
            ("notice", {}),
        ]
        assert [two.queue.get_nowait() for _ in range(two.queue.qsize())] == [
            ("todo", {"n": 2}),
            ("notice", {}),
        ]

    asyncio.run(scene())


def test_end_of_login_ends_its_streams():
    async def scene():
        holders = Holders()
        one, two, other = (holders.enter("p1", login, {"p:p1"}) for login in ("a", "a", "b"))
        holders.end("a")
        assert (one.lost, two.lost, other.lost) == (True, True, False)
        assert one.queue.get_nowait() == SESSION_ENDED

    asyncio.run(scene())


def test_slow_reader_is_let_go_and_bounded():
    async def scene():
        holders = Holders()
        slow = holders.enter("p1", "a", {"p:p1"})
        for number in range(QUEUE * 3):
            holders.push(push_subject("p:p1"), ("todo", {"n": number}))
        assert slow.lost
        assert slow.queue.qsize() == QUEUE

    asyncio.run(scene())


def test_nothing_is_left_of_closed_streams():
    async def scene():
        holders = Holders()
        listeners = [holders.enter(f"p{number % 3}", "a", {"all", f"p:p{number % 3}"}) for number in range(9)]
        assert (len(holders), holders.of_person("p1")) == (9, 3)
        for listener in listeners:
            holders.leave(listener)
            holders.leave(listener)
        assert (len(holders), holders.of_person("p1")) == (0, 0)
        assert not holders._by_subject
        assert not holders._by_login

    asyncio.run(scene())


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"x",
        b"[]",
        b"1",
        b"null",
        b"\xff",
        b'{"event":1}',
        b'{"event":"a\\nb"}',
        b'{"event":""}',
        b'{"event":"A"}',
        b"[" * 100_000,
    ],
)
def test_bad_pushes_are_refused(data):
    assert as_event(data) is None


def test_data_cannot_begin_another_field():
    event = as_event(json.dumps({"event": "todo", "title": "a\n\nevent: session-ended\rdata: x"}).encode())
    text = written(event)
    assert text.count("\n") == 3
    assert "\r" not in text
    assert text.startswith("event: todo\ndata: {")


def test_push_without_a_name_is_a_notice():
    assert as_event(b'{"text":"x"}') == ("notice", {"text": "x"})


def test_sweep_and_count_of_sessions_outlive_a_fault(tmp_path, monkeypatch):
    turns = {"count": 0, "sweep": 0}

    def faulty(what, answer):
        turns[what] += 1
        if turns[what] == 1:
            raise ZeroDivisionError
        return answer

    monkeypatch.setattr(stream, "COUNT", 0.01)
    monkeypatch.setattr(sweeping, "HOUR", 0.01)
    monkeypatch.setattr(sweeping, "sweep", lambda _parts: faulty("sweep", 0))
    monkeypatch.setattr(Stream, "_listen", lambda _self: asyncio.sleep(0))
    parts = fakes.parts(tmp_path)
    parts.store.collection("sessions").count = lambda: faulty("count", 7)
    parts.store.close = lambda: None

    async def scene():
        going = Stream(parts)
        monkeypatch.setattr(going._bus, "close", lambda: asyncio.sleep(0))
        async with going.lifespan(None):
            async with asyncio.timeout(5):
                while going._sessions != 7 or turns["sweep"] < 3:  # noqa: ASYNC110 - nobody is told
                    await asyncio.sleep(0.01)

    asyncio.run(scene())
