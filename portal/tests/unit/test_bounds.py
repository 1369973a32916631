"""Answers that a broken or hostile legacy system may send: bounded time and memory, a typed error.

# check 40
"""

from __future__ import annotations

import contextlib
import socket
import threading
import time
import tracemalloc
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from chassis.errors import TongbanError, TooMuch, Unavailable
from portal.connectors import http
from portal.connectors.target import parse_target

MEGABYTE = b"x" * (1 << 20)


@contextlib.contextmanager
def legacy(answer: Callable[[socket.socket], None]) -> Iterator[str]:
    """A system that answers one request by writing to the bare socket."""
    listening = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        with contextlib.suppress(OSError):
            connection, _ = listening.accept()
            with connection:
                connection.recv(65536)
                answer(connection)

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}/"
    finally:
        listening.close()


@pytest.fixture(autouse=True)
def _loopback(monkeypatch):
    monkeypatch.setenv("TONGBAN_LOOPBACK_APPS", "1")


def fetch(url: str, **bounds) -> int:
    size = 0
    with http.client() as client:
        answer = http.send(client, parse_target(url), "GET", "/", http.usual_headers(parse_target(url)))
        for chunk in http.bounded(answer, **bounds):
            size += len(chunk)
    return size


def test_a_gigabyte_is_broken_off_and_never_held_in_memory():
    def endless(connection: socket.socket) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1073741824\r\n\r\n")
        for _ in range(1024):
            connection.sendall(MEGABYTE)

    tracemalloc.start()
    with legacy(endless) as url, pytest.raises(TooMuch):
        fetch(url, largest=32 << 20)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 16 << 20


def test_a_byte_at_a_time_ends_with_the_time_allowed():
    def trickle(connection: socket.socket) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n")
        for _ in range(1000):
            connection.sendall(b"x")
            time.sleep(0.05)

    began = time.monotonic()
    with legacy(trickle) as url, pytest.raises(TooMuch):
        fetch(url, seconds=0.5)
    assert time.monotonic() - began < 20


def test_headers_a_byte_at_a_time_end_too(monkeypatch):
    def trickle(connection: socket.socket) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\nX: ")
        with contextlib.suppress(OSError):
            for _ in range(1000):
                connection.sendall(b"x")
                time.sleep(0.05)

    monkeypatch.setattr(http, "TOTAL", 0.5)
    began = time.monotonic()
    with legacy(trickle) as url, pytest.raises(Unavailable):
        fetch(url)
    assert time.monotonic() - began < 20


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\n" + b"".join(b"X-%d: y\r\n" % number for number in range(100_000)) + b"\r\n",
        b"HTTP/1.1 200 OK\r\nX: " + b"y" * 2_000_000 + b"\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nhello\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel",
        b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
        b"nonsense\r\n\r\n",
        b"",
    ],
    ids=[
        "100k headers",
        "one huge header",
        "bad chunk size",
        "broken chunk",
        "too short",
        "two lengths",
        "no http",
        "nothing",
    ],
)
def test_broken_answers_become_one_typed_error(answer):
    def send(connection: socket.socket) -> None:
        with contextlib.suppress(OSError):
            connection.sendall(answer)

    with legacy(send) as url, pytest.raises(TongbanError) as caught:
        fetch(url)
    assert isinstance(caught.value, Unavailable)


def test_a_path_can_name_no_other_host():
    def note(connection: socket.socket) -> None:
        connection.sendall(b"HTTP/1.1 204 No Content\r\n\r\n")

    for path in ("//evil.example/x", "/http://evil.example/", "/@evil.example/", "/\\evil.example"):
        with legacy(note) as url, http.client() as client:
            target = parse_target(url)
            answer = http.send(client, target, "GET", path, [])
            assert answer.status_code == 204
            assert answer.request.url.host == "127.0.0.1"
            answer.close()


def test_a_thread_closes_no_connection_of_another(monkeypatch):
    monkeypatch.setattr(http, "KEPT", 0.2)
    listening = socket.create_server(("127.0.0.1", 0))
    seen: list[socket.socket] = []

    def serve() -> None:
        for _ in range(2):
            seen.append(listening.accept()[0])
            seen[-1].recv(65536)
            seen[-1].sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")

    target = parse_target(f"http://127.0.0.1:{listening.getsockname()[1]}/")

    def ask(client) -> bytes:
        return b"".join(http.bounded(http.send(client, target, "GET", "/", [])))

    with listening, http.client() as client, ThreadPoolExecutor(1) as one, ThreadPoolExecutor(1) as other:
        threading.Thread(target=serve, daemon=True).start()
        assert one.submit(ask, client).result(20) == b"ok"
        time.sleep(0.3)  # its time is over
        assert other.submit(ask, client).result(20) == b"ok"
        with pytest.raises(BlockingIOError):
            seen[0].recv(1, socket.MSG_DONTWAIT)  # were it closed, this would find its end
    for connection in seen:
        connection.close()
