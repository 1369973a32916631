"""Links between processes that can be cut and slowed: Toxiproxy, and some of the platform's processes anew behind it."""

from __future__ import annotations

import importlib
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlsplit

import httpx

from deploy.local import applications, env, units
from deploy.local.cache import tools
from deploy.local.child import Spec
from deploy.local.ports import LOOPBACK
from deploy.local.probes import answers, listens
from deploy.local.settings import Settings
from deploy.local.supervisor import Supervisor

CONTROL, FIRST_LINK = 60, 61  # offsets in a block of ports, above those of the units


class Toxiproxy:
    """The proxy's server and its links, by name."""

    def __init__(self, port: int) -> None:
        self._api = httpx.Client(base_url=f"http://{LOOPBACK}:{port}", timeout=10, trust_env=False)

    def link(self, name: str, listen: int, upstream: str) -> str:
        """A link that leads from `listen` to `upstream`; returns its address."""
        address = f"{LOOPBACK}:{listen}"
        self._api.post(
            "/proxies", json={"name": name, "listen": address, "upstream": upstream}
        ).raise_for_status()
        return address

    def silence(self, name: str) -> None:
        """From now on nothing arrives, and nobody is told: a cable that was pulled."""
        self._toxic(name, "timeout", {"timeout": 0})

    def slow(self, name: str, milliseconds: int, jitter: int) -> None:
        """Every piece is so much later."""
        self._toxic(name, "latency", {"latency": milliseconds, "jitter": jitter}, both=False)

    def narrow(self, name: str, kilobytes: int) -> None:
        """So many kilobytes a second pass."""
        self._toxic(name, "bandwidth", {"rate": kilobytes})

    def reset(self, name: str) -> None:
        """Every connection is reset."""
        self._toxic(name, "reset_peer", {"timeout": 0})

    def refuse(self, name: str) -> None:
        """Nobody listens."""
        self._api.post(f"/proxies/{name}", json={"enabled": False}).raise_for_status()

    def heal(self) -> None:
        """Every link is whole again."""
        self._api.post("/reset").raise_for_status()

    def _toxic(self, name: str, kind: str, attributes: dict[str, int], *, both: bool = True) -> None:
        for stream in ("upstream", "downstream") if both else ("downstream",):
            toxic = {"name": f"{kind}-{stream}", "type": kind, "stream": stream, "attributes": attributes}
            self._api.post(f"/proxies/{name}/toxics", json=toxic).raise_for_status()


@dataclass(frozen=True)
class Link:
    """From a process to another, or to an engine: the setting by which the process knows it."""

    name: str
    process: str
    setting: str


LINKS = (
    Link("edge-gateway", "edge", "TONGBAN_HTTP_GATEWAY"),
    Link("gateway-tasks", "gateway-web", "TONGBAN_GRPC_TASKS"),
    Link("gateway-keycloak", "gateway-web", "TONGBAN_KEYCLOAK_URL"),
    Link("pages-tasks", "tasks-pages", "TONGBAN_GRPC_TASKS"),
    Link("tasks-store", "tasks-serve", "TONGBAN_MONGO_URI"),
    Link("tasks-broker", "tasks-serve", "TONGBAN_NATS_URL"),
    Link("tasks-keycloak", "tasks-serve", "TONGBAN_KEYCLOAK_URL"),
    Link("portal-keycloak", "portal-serve", "TONGBAN_KEYCLOAK_URL"),
    Link("gateway-portal", "gateway-web", "TONGBAN_GRPC_PORTAL"),
)
ANEW = ("gateway-web", "tasks-serve", "tasks-pages", "portal-serve")


class Beside:
    """The processes of ANEW and an edge, beside those of the stack: same records, own ports, and links that can be broken.

    `url`: its edge; `pages`: where tasks-pages listens; `links`: its Toxiproxy.
    """

    def __init__(self, stack: Any, base: int, folder: Path, more: dict[str, str]) -> None:
        self._stack, self._base, self._folder, self._more = stack, base, folder, more
        self.settings = Settings(
            var=stack.settings.var, base_port=base, edge_port=base + 99, demo=True, root=stack.settings.root
        )
        self.links = Toxiproxy(base + CONTROL)
        self.url = f"https://localhost:{base + 99}"

    def __enter__(self) -> Self:
        listed = units.load(self.settings.root)
        own = env.shared(self.settings, tools(), listed)
        # Where the stack's own processes are, but for those that are started anew here.
        self.platform = {**self._stack.env, **self._more}
        for name in (
            "TONGBAN_HTTP_GATEWAY",
            "TONGBAN_GRPC_TASKS",
            "TONGBAN_HTTP_TASKS",
            "TONGBAN_GRPC_PORTAL",
            # The stack's edge has this port, and an nginx that misses one of its ports ends.
            "TONGBAN_EDGE_STATUS",
        ):
            self.platform[name] = own[name]
        self.pages = f"http://{own['TONGBAN_HTTP_TASKS']}"
        server = (str(tools().toxiproxy_server), "-host", LOOPBACK, "-port", str(self._base + CONTROL))
        proxy = Spec(
            "toxiproxy", server, env.inherited(), self._folder, answers(self._base + CONTROL, "/version")
        )
        self._proxy = Supervisor([proxy], self._folder / "logs", print)
        self._proxy.start()
        self._processes: Supervisor | None = None
        try:
            assert self._proxy.wait_ready(60), (
                "Toxiproxy did not start; is it installed (make test installs it)?"
            )
            self._processes = Supervisor(self._specs(listed), self._folder / "logs", print)
            self._processes.start()
            assert self._processes.wait_ready(180), self._processes.not_ready()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        if self._processes:
            self._processes.stop()
        self._proxy.stop()

    def _specs(self, listed: tuple[units.Unit, ...]) -> list[Spec]:
        detours = self._detours()
        made = applications.Applications(self.settings, tools(), self.platform).specs(listed, ())
        specs = [
            replace(spec, env={**spec.env, **detours.get(spec.name, {})}, after=())
            for spec in made
            if spec.name in ANEW
        ]
        return [*specs, self._edge(detours["edge"])]

    def _edge(self, detour: dict[str, str]) -> Spec:
        folder = self._folder / "edge"
        folder.mkdir()
        renderer = importlib.import_module("deploy.edge.render")
        given = {**self.platform, **detour, "TONGBAN_EDGE_PORT": str(self.settings.edge_port)}
        config = renderer.render(given, units.table(self.settings.root), folder)
        command = ("/usr/sbin/nginx", "-p", str(folder), "-c", str(config), "-g", "daemon off;")
        return Spec("edge", command, env.inherited(), folder, listens(self.settings.edge_port))

    def _detours(self) -> dict[str, dict[str, str]]:
        """Process → its settings that lead through a link."""
        found: dict[str, dict[str, str]] = {}
        for number, link in enumerate(LINKS):
            straight = self.platform[link.setting]
            host = _host(straight)
            through = self.links.link(link.name, self._base + FIRST_LINK + number, host)
            found.setdefault(link.process, {})[link.setting] = straight.replace(host, through)
        return found


def _host(address: str) -> str:
    """host:port of an address, whatever else stands in it."""
    return urlsplit(address).netloc.rpartition("@")[2] if "://" in address else address
