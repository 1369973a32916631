"""Raw bytes to the edge and back, for what no HTTP library would send."""

from __future__ import annotations

import contextlib
import re
import socket
import ssl
import time
from pathlib import Path
from urllib.parse import urlsplit


class Wire:
    """A TLS connection to the edge. protocol: "http/1.1" or "h2"."""

    def __init__(
        self, url: str, ca: Path, *, host: str = "", protocol: str = "http/1.1", seconds: float = 10
    ) -> None:
        there = urlsplit(url)
        context = ssl.create_default_context(cafile=str(ca))
        context.set_alpn_protocols([protocol])
        self.host = host or there.netloc
        plain = socket.create_connection(("127.0.0.1", there.port or 443), timeout=seconds)
        self.socket = context.wrap_socket(plain, server_hostname=(self.host.partition(":")[0]))

    def send(self, data: bytes) -> None:
        """All of it; an edge that has hung up already is told by what `all` reads."""
        with contextlib.suppress(BrokenPipeError, ConnectionResetError, ssl.SSLError):
            self.socket.sendall(data)

    def all(self, seconds: float = 3) -> bytes:
        """Everything until the edge hangs up, or is silent for so long."""
        found, end = b"", time.monotonic() + seconds
        with contextlib.suppress(TimeoutError, ConnectionResetError, ssl.SSLError, OSError):
            while (left := end - time.monotonic()) > 0:
                self.socket.settimeout(left)
                part = self.socket.recv(65536)
                if not part:
                    break
                found += part
        return found

    def answered(self) -> bytes:
        """What has come already, without waiting."""
        self.socket.setblocking(False)
        try:
            return self.socket.recv(65536)
        except (ssl.SSLWantReadError, BlockingIOError):
            return b""
        finally:
            self.socket.settimeout(20)

    def close(self) -> None:
        self.socket.close()


def statuses(answer: bytes) -> list[int]:
    """The status codes of the answers in a stream of HTTP/1.1 bytes."""
    return [int(code) for code in re.findall(rb"HTTP/1\.[01] (\d{3}) ", answer)]
