"""Calls to other units: identity and deadline are handed down, repetition only where it is safe, errors typed."""

from __future__ import annotations

import os
import socket
import time

import grpc
import pytest

from chassis import client, context
from chassis.client import ATTEMPTS, Client
from chassis.errors import Conflict, Internal, NotFound, TimedOut, TooMuch, Unavailable
from chassis.tests.helpers import TOKEN, Answer, Request, Stub, serving, settings
from tests.inprocess import eventually

CALL = context.Call(request_id="r-1", token=TOKEN, deadline=0.0, traceparent=f"00-{'a' * 32}-{'b' * 16}-01")


@pytest.fixture(autouse=True)
def _own_channels(monkeypatch):
    monkeypatch.setattr(client, "_channels", {})


@pytest.fixture
def unit(tmp_path, monkeypatch):
    """unit(**methods) → Client of a unit with these methods."""
    opened = []

    def make(**methods):
        server = serving(settings(tmp_path), **methods)
        opened.append(server)
        monkeypatch.setenv("TONGBAN_GRPC_OTHER", f"127.0.0.1:{server.__enter__()}")
        return Client("other", Stub)

    yield make
    for server in opened:
        server.__exit__(None, None, None)


def until(seconds):
    from dataclasses import replace

    return context.serving(replace(CALL, deadline=time.monotonic() + seconds))


def test_identity_and_deadline_are_handed_down(unit):
    seen = []

    def handler(_request, _rpc):
        seen.append(context.current())
        return Answer(document="x")

    other = unit(One=handler)
    with until(4):
        assert other.One(Request()).document == "x"
    call = seen.pop()
    assert (call.request_id, call.token, call.traceparent) == (CALL.request_id, TOKEN, CALL.traceparent)
    assert 2 < call.left() <= 4.1
    with until(60):
        other.One(Request(), 2)
    assert 1 < seen.pop().left() <= 2.1


def test_a_service_account_speaks_where_nobody_calls(unit):
    other = unit(One=lambda *_: Answer())
    with pytest.raises(Exception, match="NOT_SIGNED_IN"):
        other.One(Request())
    Client("other", Stub, lambda: TOKEN).One(Request())
    with (
        context.serving(context.Call(token="the caller's own goes first")),
        pytest.raises(Exception, match="NOT_SIGNED_IN"),
    ):
        Client("other", Stub, lambda: TOKEN).One(Request())


@pytest.mark.parametrize("kind", [Conflict, NotFound, TooMuch, Internal, TimedOut])
def test_other_errors_are_not_repeated(unit, kind):
    calls = []

    def handler(_request, _rpc):
        calls.append(1)
        raise kind("REASON", "一句话。", "One.", {"a": "b"})

    other = unit(One=handler)
    with until(5), pytest.raises(kind) as problem:
        other.One(Request())
    assert (problem.value.reason, problem.value.fields, len(calls)) == ("REASON", {"a": "b"}, 1)


def test_unavailable_is_repeated_until_it_works(unit):
    calls = []

    def handler(_request, _rpc):
        calls.append(context.current().left())
        if len(calls) < 3:
            raise Unavailable("STORE_UNAVAILABLE", "稍后。")
        return Answer(document="x")

    other = unit(One=handler)
    with until(5):
        assert other.One(Request()).document == "x"
    assert len(calls) == 3
    # Every repetition has what is left, not a deadline of its own.
    assert calls[2] < calls[0] - 0.2


def test_unavailable_is_not_repeated_for_ever_nor_past_the_deadline(unit):
    calls = []

    def handler(_request, _rpc):
        calls.append(1)
        raise Unavailable("STORE_UNAVAILABLE", "稍后。")

    other = unit(One=handler)
    with until(10), pytest.raises(Unavailable):
        other.One(Request())
    assert len(calls) == ATTEMPTS
    calls.clear()
    started = time.monotonic()
    with until(0.25), pytest.raises((Unavailable, TimedOut)):
        other.One(Request())
    assert len(calls) < ATTEMPTS
    assert time.monotonic() - started < 0.5
    with until(-1), pytest.raises(TimedOut):
        other.One(Request())


def test_streams_are_typed_and_never_repeated(unit):
    calls = []

    def give(_request, _rpc):
        calls.append("give")
        yield Answer(document="1")
        raise Unavailable("STORE_UNAVAILABLE", "稍后。")

    def take(requests, _rpc):
        calls.append("take")
        if len(list(requests)) > 1:
            raise Unavailable("STORE_UNAVAILABLE", "稍后。")
        return Answer(document="taken")

    other = unit(Give=give, Take=take)
    with until(5):
        pieces = other.Give(Request())
        assert next(pieces).document == "1"
        with pytest.raises(Unavailable) as problem:
            next(pieces)
        assert problem.value.reason == "STORE_UNAVAILABLE"
        assert other.Take(iter([Request()])).document == "taken"
        with pytest.raises(Unavailable):
            other.Take(iter([Request(), Request()]))
    assert calls == ["give", "take", "take"]


def test_who_stops_reading_stops_the_sender(unit):
    left = []

    def give(_request, rpc):
        rpc.add_callback(lambda: left.append(1))
        while rpc.is_active():
            yield Answer(document="x" * 10_000)

    with until(20):
        pieces = unit(Give=give).Give(Request())
        next(pieces)
        pieces.close()
    eventually(lambda: left)


def test_a_unit_that_is_not_there(monkeypatch):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    monkeypatch.setenv("TONGBAN_GRPC_OTHER", f"127.0.0.1:{port}")
    with until(2), pytest.raises(Unavailable) as problem:
        Client("other", Stub).One(Request())
    assert "127.0.0.1" not in f"{problem.value.zh}{problem.value.en}"


def test_the_channel_is_made_in_the_process_that_calls(unit):
    other = unit(One=lambda *_: Answer())
    method = other.One  # naming it makes no channel yet
    assert client._channels == {}
    child = os.fork()
    if child == 0:
        # A child of a fork could not use a channel of its parent's.
        os._exit(0 if client._channels == {} and other._stub is None else 1)
    assert os.waitpid(child, 0)[1] == 0
    with until(5):
        method(Request())
    assert len(client._channels) == 1
    assert isinstance(client.channel("other"), grpc.Channel)
    assert client.channel("other") is client.channel("other")
