"""Ways to ask whether a process is ready. Each probe answers quickly and never raises."""

import contextlib
import http.client
import socket
from collections.abc import Callable
from pathlib import Path

from deploy.local.ports import LOOPBACK

Probe = Callable[[], bool]

_SECONDS = 2.0
_LISTENING = "0A"  # TCP_LISTEN, as the kernel's table of sockets says it


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


def children(pid: int | None) -> set[int]:
    """The processes that `pid` has started and that still run."""
    with contextlib.suppress(OSError):
        return {int(one) for one in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()}
    return set()


def listening_ports(pid: int | None) -> set[int]:
    """The ports on which `pid` itself accepts connections, whoever else may do so on the same ones."""
    sockets = set()
    with contextlib.suppress(OSError):
        for link in Path(f"/proc/{pid}/fd").iterdir():
            with contextlib.suppress(OSError):
                sockets.add(str(link.readlink()))
    found = set()
    for table in ("tcp", "tcp6"):
        with contextlib.suppress(OSError):
            for row in Path(f"/proc/{pid}/net/{table}").read_text().splitlines()[1:]:
                fields = row.split()
                if fields[3] == _LISTENING and f"socket:[{fields[9]}]" in sockets:
                    found.add(int(fields[1].rpartition(":")[2], 16))
    return found
