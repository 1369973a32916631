"""A cluster of three real brokers on the loopback, as docs/operations.md wants it for production: R3, sync always."""

from __future__ import annotations

import json
import secrets
import shutil
import signal
import subprocess
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Self

import nats

from deploy.local.cache import tools
from deploy.local.ports import LOOPBACK, free_block
from deploy.local.probes import answers
from tests.inprocess import eventually

NODES = ("n1", "n2", "n3")
USER = "tongban"


class Cluster:
    """Use as a context manager. Nodes are named n1, n2, n3; each can be stopped, killed and started again."""

    def __init__(self, folder: Path, *, sync: str | None = "always", nodes: tuple[str, ...] = NODES) -> None:
        self.folder, self.nodes, self._sync = folder, nodes, sync
        self._word = secrets.token_urlsafe(16)
        self._running: dict[str, subprocess.Popen[bytes]] = {}
        self._opened = ExitStack()

    def __enter__(self) -> Self:
        with ExitStack() as opened:
            base = opened.enter_context(free_block())
            self._ports = {node: base + 3 * number for number, node in enumerate(self.nodes)}
            opened.callback(self._end)
            for node in self.nodes:
                self._configure(node)
                self.start(node, wait=False)
            for node in self.nodes:
                self.wait(node)
            self._opened = opened.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._opened.close()

    def _end(self) -> None:
        for node in list(self._running):
            self.kill(node)

    def url(self, node: str) -> str:
        """The address of one node."""
        return f"nats://{USER}:{self._word}@{LOOPBACK}:{self._ports[node]}"

    @property
    def urls(self) -> str:
        """TONGBAN_NATS_URL."""
        return ",".join(self.url(node) for node in self.nodes)

    def monitor(self, node: str) -> str:
        """Where it says how it is."""
        return f"http://{LOOPBACK}:{self._ports[node] + 1}"

    def store(self, node: str) -> Path:
        """Where a node keeps its streams."""
        return self.folder / node / "jetstream"

    def _configure(self, node: str) -> None:
        port = self._ports[node]
        jetstream = {"store_dir": str(self.folder / node)} | (
            {"sync_interval": self._sync} if self._sync else {}
        )
        config: dict[str, Any] = {
            "server_name": node, "listen": f"{LOOPBACK}:{port}", "http": f"{LOOPBACK}:{port + 1}", "jetstream": jetstream,
            "authorization": {"user": USER, "password": self._word},
        }  # fmt: skip
        if len(self.nodes) > 1:
            routes = [f"nats://{LOOPBACK}:{self._ports[other] + 2}" for other in self.nodes if other != node]
            config["cluster"] = {"name": "trial", "listen": f"{LOOPBACK}:{port + 2}", "routes": routes}
        (self.folder / node).mkdir(parents=True)
        (self.folder / node / "nats.conf").write_text(json.dumps(config))

    def start(self, node: str, *, wait: bool = True) -> None:
        """Start it, and wait until it has what the others have."""
        with (self.folder / f"{node}.log").open("ab") as log:
            command = [str(tools().nats_server), "--config", str(self.folder / node / "nats.conf")]
            self._running[node] = subprocess.Popen(command, stdout=log, stderr=log)
        if wait:
            self.wait(node)

    def wait(self, node: str) -> None:
        """Until it says that its streams are current."""
        eventually(answers(self._ports[node] + 1, "/healthz"), 60)

    def stop(self, node: str) -> None:
        """As an administrator would: it hands over what it leads."""
        self._running[node].send_signal(signal.SIGTERM)
        self._running.pop(node).wait(30)

    def kill(self, node: str) -> None:
        """As by a power cut."""
        self._running[node].kill()
        self._running.pop(node).wait()

    def forget(self, node: str) -> None:
        """Throw away what a stopped node had on its disk."""
        shutil.rmtree(self.store(node))

    async def state(self, stream: str) -> Any:
        """What the cluster says of a stream."""
        client = await nats.connect(self.urls.split(","), max_reconnect_attempts=3)
        try:
            return await client.jetstream(timeout=5).stream_info(stream)
        finally:
            await client.close()
