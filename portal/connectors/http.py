"""The HTTP client for legacy systems.

Judged addresses only, no redirects by itself, no environment, everything bounded. # check 38, 40
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Iterator
from typing import Any

import httpcore
import httpx

from chassis import log
from chassis.errors import TooMuch, Unavailable
from portal.connectors.target import Target, judged_addresses

CONNECT, READ, TOTAL = 4.0, 20.0, 120.0
KEPT = 15.0  # seconds that an idle connection is kept
LARGEST = 256 << 20
_AGENT = "Mozilla/5.0 (compatible; Tongban)"
_AWAY = "The system does not answer."
_log = log.get(__name__)


class _TimedStream(httpcore.NetworkStream):
    """A connection that gives an answer so much time in all; a byte now and then does not prolong it."""

    def __init__(self, inner: httpcore.NetworkStream) -> None:
        self._inner = inner
        self._asked = time.monotonic()

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        left = self._asked + TOTAL - time.monotonic()
        if left <= 0:
            raise httpcore.ReadTimeout("The whole answer took too long.")
        return self._inner.read(max_bytes, min(left, timeout or left))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._asked = time.monotonic()
        self._inner.write(buffer, timeout)

    def close(self) -> None:
        self._inner.close()

    def start_tls(self, *given: Any, **more: Any) -> httpcore.NetworkStream:
        return _TimedStream(self._inner.start_tls(*given, **more))

    def get_extra_info(self, info: str) -> Any:
        return self._inner.get_extra_info(info)


class _JudgedBackend(httpcore.SyncBackend):
    """Connects to the address that was judged, so that a name cannot change its meaning in between."""

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Any = None,
    ) -> httpcore.NetworkStream:
        problem: Exception = Unavailable("APP_UNREACHABLE", "该系统暂时无法连接。", _AWAY)
        for address in judged_addresses(host, port):
            try:
                return _TimedStream(
                    super().connect_tcp(address, port, timeout, local_address, socket_options)
                )
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as failure:
                problem = failure
        raise problem


class _OwnConnections(httpx.BaseTransport):
    """Each thread keeps connections of its own.

    A pool that threads share closes an idle connection although another thread has just begun to use it, and the number of its
    socket is then another connection's (httpcore #1110).
    """

    def __init__(self) -> None:
        self._trusted = httpx.create_ssl_context(trust_env=False)
        self._mine = threading.local()

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        if not hasattr(self._mine, "transport"):
            self._mine.transport = self._made()
        response: httpx.Response = self._mine.transport.handle_request(request)
        return response

    def close(self) -> None:
        if hasattr(self._mine, "transport"):
            self._mine.transport.close()

    def _made(self) -> httpx.HTTPTransport:
        transport = httpx.HTTPTransport(verify=self._trusted, retries=0)
        transport._pool = httpcore.ConnectionPool(  # noqa: SLF001 - httpx has no public way to choose the network backend
            ssl_context=self._trusted,
            max_keepalive_connections=4,
            keepalive_expiry=KEPT,
            network_backend=_JudgedBackend(),
        )
        return transport


def client() -> httpx.Client:
    """A client without cookies of its own that follows nothing and trusts nothing in the environment."""
    return httpx.Client(
        transport=_OwnConnections(),
        timeout=httpx.Timeout(READ, connect=CONNECT),
        follow_redirects=False,
        trust_env=False,
        headers={},
    )


def send(
    http: httpx.Client,
    target: Target,
    method: str,
    path: str,
    headers: list[tuple[str, str]],
    body: Iterable[bytes] | bytes = b"",
) -> httpx.Response:
    """One request to the target, whatever `path` says: it can name a path and a query and nothing else.

    The answer streams.

    Raises Unavailable.
    """
    url = httpx.URL(target.origin).copy_with(raw_path=path.encode("latin-1"))
    request = httpx.Request(method, url, headers=[("Host", target.authority), *headers], content=body)
    if "content-length" in request.headers and "transfer-encoding" in request.headers:
        del request.headers["transfer-encoding"]
    try:
        return http.send(request, stream=True)
    except (httpx.HTTPError, httpx.InvalidURL) as problem:
        _log.warning("legacy system away", origin=target.origin, problem=repr(problem))
        raise Unavailable("APP_UNREACHABLE", "该系统暂时无法访问，请稍后再试。", _AWAY) from problem


def bounded(answer: httpx.Response, largest: int = LARGEST, seconds: float = TOTAL) -> Iterator[bytes]:
    """The raw body of an answer, at most so many bytes and for at most so long.

    The connection is given up beyond that.

    Raises TooMuch, Unavailable.
    """
    end, size = time.monotonic() + seconds, 0
    try:
        for chunk in answer.iter_raw():
            size += len(chunk)
            if size > largest or time.monotonic() > end:
                raise TooMuch(
                    "APP_ANSWER_TOO_LARGE",
                    "该系统返回的内容过大或过慢，已中止。",
                    "Answer too large or too slow.",
                )
            yield chunk
    except httpx.HTTPError as problem:
        _log.warning("answer of a legacy system broken off", problem=repr(problem))
        raise Unavailable(
            "APP_UNREACHABLE", "该系统的响应中断，请稍后再试。", "The answer broke off."
        ) from problem
    finally:
        answer.close()


def read(answer: httpx.Response, largest: int) -> bytes:
    """The decoded body of a small answer, such as a login page. Raises TooMuch, Unavailable."""
    raw = b"".join(bounded(answer, largest, READ))
    encoding = answer.headers.get("content-encoding", "identity").lower()
    if encoding in ("identity", ""):
        return raw
    # We never ask for a compressed page, so one that comes so anyway is not read.
    _log.warning("answer in an encoding that was not asked for", encoding=encoding[:50])
    raise Unavailable(
        "APP_ANSWER_UNREADABLE", "该系统返回了无法识别的压缩内容。", "The answer cannot be read."
    )


def usual_headers(target: Target) -> list[tuple[str, str]]:
    """What the portal sends when it signs in by itself."""
    return [
        ("User-Agent", _AGENT),
        ("Accept", "text/html,application/xhtml+xml,*/*;q=0.8"),
        ("Accept-Language", "zh-CN,zh;q=0.9"),
        ("Accept-Encoding", "identity"),
        ("Referer", f"{target.origin}/"),
    ]
