"""Ways to ask whether a process is ready. Each probe answers quickly and never raises."""

import http.client
import socket
from collections.abc import Callable
from pathlib import Path

from deploy.local.ports import LOOPBACK

Probe = Callable[[], bool]

_SECONDS = 2.0


def listens(port: int, host: str = LOOPBACK) -> Probe:
    """Somebody accepts connections. Enough for gRPC, whose health service the standard library cannot ask."""

    def probe() -> bool:
        try:
            socket.create_connection((host, port), timeout=_SECONDS).close()
        except OSError:
            return False
        return True

    return probe


def answers(port: int, path: str) -> Probe:
    """GET `path` is answered with 200."""

    def probe() -> bool:
        connection = http.client.HTTPConnection(LOOPBACK, port, timeout=_SECONDS)
        try:
            connection.request("GET", path)
            return connection.getresponse().status == http.client.OK
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()

    return probe


def appears(path: Path) -> Probe:
    """The process has written `path`."""
    return path.exists
