"""Which port is whose, whether it is free, and a free block of ports for a test."""

import contextlib
import errno
import fcntl
import os
import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path

from deploy.local.say import Refusal
from deploy.local.settings import Settings
from deploy.local.units import Unit

LOOPBACK = "127.0.0.1"

_ENGINES = ("mongo", "nats", "nats_monitor", "keycloak", "keycloak_management", "edge_status")
_FIRST_UNIT = 20
_PER_UNIT = 4
_KINDS = ("grpc", "http", "stream")
# Where /metrics stands: so many ports for each unit, of which every process of a kind takes the first free one.
_FIRST_METRICS = 100
_METRICS_PER_UNIT = 16
_METRICS = {"serve": (0, 4), "work": (4, 1), "stream": (5, 1), "pages": (6, 10), "web": (6, 10)}

# Blocks for tests lie above the defaults of `make run` and below the kernel's ephemeral ports.
BLOCK = 300
_STEP = 100
_FIRST_BLOCK = 21000
_LAST_BLOCK = 31000


class Ports:
    """The ports of one deployment, derived from its base port and each unit's place in units.toml."""

    def __init__(self, settings: Settings) -> None:
        self._base = settings.base_port
        self._edge = settings.edge_port
        self._bind = settings.bind

    def engine(self, name: str) -> int:
        return self._base + _ENGINES.index(name)

    def unit(self, unit: Unit, kind: str) -> int:
        """The port of a unit's `grpc`, `http` or `stream` server."""
        return self._base + _FIRST_UNIT + unit.index * _PER_UNIT + _KINDS.index(kind)

    def metrics(self, unit: Unit, process: str) -> range:
        """The ports of which each process of this kind takes one for its /metrics; empty for kinds that have none."""
        start, count = _METRICS.get(process, (0, 0))
        first = self._base + _FIRST_METRICS + unit.index * _METRICS_PER_UNIT + start
        return range(first, first + count)

    def listening(self, units: tuple[Unit, ...]) -> dict[str, int]:
        """Every internal port that will be listened on, by the name of its owner."""
        found = {name: self.engine(name) for name in _ENGINES}
        for unit in units:
            has = {"grpc": bool(unit.grpc), "http": unit.http, "stream": unit.stream}
            found.update({f"{unit.name}_{kind}": self.unit(unit, kind) for kind in _KINDS if has[kind]})
            for process, count in processes(unit).items():
                ports = self.metrics(unit, process)[:count]
                found.update({f"{unit.name}_{process}_metrics_{port}": port for port in ports})
        return found

    def check_free(self, units: tuple[Unit, ...], *, edge: bool) -> None:
        """Refuse when a port is taken, naming the port and the setting to change."""
        for owner, port in self.listening(units).items():
            if port > 65535 or is_taken(LOOPBACK, port):
                raise Refusal(
                    f"Port {port} (for {owner}) is taken; stop what listens there, or set TONGBAN_BASE_PORT "
                    f"to something other than {self._base}."
                )
        if edge and is_taken(self._bind, self._edge):
            raise Refusal(
                f"Port {self._edge} (for HTTPS) is taken; stop what listens there, or set TONGBAN_EDGE_PORT "
                "to another port."
            )


def processes(unit: Unit) -> dict[str, int]:
    """The kinds of processes of a unit that serve /metrics, and how many of each there are."""
    workers = int(os.environ.get("TONGBAN_WEB_WORKERS") or 1)
    has = {"serve": unit.grpc, "work": int(unit.work), "stream": int(unit.stream)}
    found = {**has, "pages": workers * unit.pages, "web": workers * unit.web}
    for process, count in found.items():
        if count > _METRICS[process][1]:
            raise Refusal(
                f"{unit.name} may have at most {_METRICS[process][1]} processes of the kind {process}."
            )
    return {process: count for process, count in found.items() if count}


def is_taken(host: str, port: int) -> bool:
    """Whether something listens on `port`. A port that only waits out a closed connection is free."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as problem:
            if problem.errno == errno.EADDRINUSE:
                return True
            if problem.errno == errno.EACCES:
                raise Refusal(
                    f"Port {port} may be used by root only; set TONGBAN_EDGE_PORT to one above 1023."
                ) from problem
            raise Refusal(
                f"The address {host}:{port} cannot be used ({problem.strerror}); correct TONGBAN_BIND."
            ) from problem
    return False


@contextlib.contextmanager
def free_block() -> Iterator[int]:
    """Hold a block of ports for a test: its first is the base, its last the edge.

    A locked file keeps other tests off as long as the block lasts: between finding a port free and using it
    there are seconds.
    """
    folder = Path(tempfile.gettempdir()) / "tongban-ports"
    folder.mkdir(mode=0o1777, exist_ok=True)
    for base in range(_FIRST_BLOCK, _LAST_BLOCK, BLOCK):
        with contextlib.ExitStack() as locks:
            # One lock for each hundred: clones of other versions hold blocks of other sizes.
            handles = [
                locks.enter_context((folder / str(base + at)).open("w")) for at in range(0, BLOCK, _STEP)
            ]
            try:
                for handle in handles:
                    fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                continue
            if not any(is_taken(LOOPBACK, port) for port in range(base, base + BLOCK)):
                yield base
                return
    raise Refusal("No free block of ports was found for a test; end some of what runs on this machine.")
