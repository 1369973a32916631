"""The application's processes, out of units.toml: what to run, in which environment, when it is ready."""

import importlib
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path

from deploy.local import accounts, env, units
from deploy.local.cache import Tools
from deploy.local.child import BESIDE, WORKERS, Spec
from deploy.local.ports import LOOPBACK, Ports
from deploy.local.probes import Probe, answers, appears, listens
from deploy.local.say import Refusal
from deploy.local.settings import Settings
from deploy.local.units import Unit

_GUNICORN = Path(__file__).with_name("gunicorn.conf.py")
_STREAMING = Path(__file__).with_name("streaming.py")


class Applications:
    """Makes the process specifications of one deployment."""

    def __init__(
        self, settings: Settings, tools: Tools, platform: Mapping[str, str], *, divided: bool = False
    ) -> None:
        """With `divided`, each unit's processes run under the account that its table names (deploy.local.accounts)."""
        self._settings = settings
        self._divided = divided
        self._python = str(tools.python)
        self._platform = platform
        self._ports = Ports(settings)

    def specs(self, listed: tuple[Unit, ...], after: tuple[str, ...]) -> list[Spec]:
        """All that `listed` asks for: a one-shot after the engines `after`, its own unit after it, the others at once.

        Every process waits by itself for what it needs, so most of them start while Keycloak, the slowest, still does.
        """
        specs: list[Spec] = []
        for unit in listed:
            setup = [self._setup(unit, after)] if unit.setup else []
            specs += [*setup, *self._unit(unit, tuple(spec.name for spec in setup))]
        return specs

    def _unit(self, unit: Unit, after: tuple[str, ...]) -> Iterator[Spec]:
        for number in range(unit.grpc):
            ready = listens(self._ports.unit(unit, "grpc"))
            first = replace(
                self._spec(unit, "serve", after, ["-m", unit.module, "serve"], ready),
                renewal=BESIDE, port=self._ports.unit(unit, "grpc"),
            )  # fmt: skip
            # They share the port by SO_REUSEPORT, so a further server needs no address of its own.
            yield replace(first, name=f"{first.name}-{number + 1}") if number else first
        if unit.work:
            yield self._work(unit, after)
        for process in ("pages", "web"):
            if getattr(unit, process):
                gunicorn = ["-m", "gunicorn", "-c", str(_GUNICORN)]
                command = [*gunicorn, f"{unit.module}.{process}:app()"]
                spec = self._spec(unit, process, after, command, self._healthz(unit, "http"))
                yield replace(spec, renewal=WORKERS, worker_ready=partial(self._worker_ready, unit))
        if unit.stream:
            port = self._ports.unit(unit, "stream")
            # -P keeps the modules of this folder from standing in the way of the unit's own imports.
            command = ["-P", str(_STREAMING), f"{unit.module}.stream:app", LOOPBACK, str(port)]
            spec = self._spec(unit, "stream", after, command, self._healthz(unit, "stream"))
            yield replace(spec, renewal=BESIDE, port=port)
        if unit.site:
            yield self._spec(unit, "site", after, ["-m", unit.module], self._healthz(unit, "http"))

    def _healthz(self, unit: Unit, kind: str) -> Probe:
        return answers(self._ports.unit(unit, kind), "/healthz")

    def _worker_ready(self, unit: Unit, pid: int) -> bool:
        return (self._settings.var / "ready" / f"{unit.name}-worker-{pid}").exists()

    def _setup(self, unit: Unit, after: tuple[str, ...]) -> Spec:
        spec = self._plain(unit, "setup", after, ["-m", unit.module, "setup"], lambda: False)
        return replace(spec, once=True, renewable=False)

    def _work(self, unit: Unit, after: tuple[str, ...]) -> Spec:
        mark = self._settings.var / "ready" / f"{unit.name}-work"

        def forget() -> None:
            mark.parent.mkdir(parents=True, exist_ok=True)
            mark.unlink(missing_ok=True)
            spec.before()

        spec = self._spec(unit, "work", after, ["-m", unit.module, "work"], appears(mark))
        return replace(spec, before=forget)

    def _spec(
        self, unit: Unit, process: str, after: tuple[str, ...], arguments: list[str], ready: Probe
    ) -> Spec:
        spec = self._plain(unit, process, after, arguments, ready)
        if not self._divided:
            return spec
        home = self._settings.var / unit.name
        return replace(
            spec,
            command=accounts.under(unit.account, *spec.command),
            env={**spec.env, "HOME": str(home)},
            before=partial(accounts.own, home, unit.account),
        )

    def _plain(
        self, unit: Unit, process: str, after: tuple[str, ...], arguments: list[str], ready: Probe
    ) -> Spec:
        environment = env.for_process(self._settings, self._platform, unit, process)
        command = (self._python, *arguments)
        name, root = f"{unit.name}-{process}", self._settings.root
        return Spec(name, command, environment, root, ready, after, renewable=True)


def forget_edge(settings: Settings) -> None:
    """Remove what the edge, now stopped, kept outside of its folder."""
    if (settings.root / "deploy" / "edge" / "render.py").is_file():
        importlib.import_module("deploy.edge.render").forget(settings.var / "edge")


def edge(settings: Settings, platform: Mapping[str, str]) -> Spec | None:
    """The edge: nginx with the configuration that deploy/edge renders; None without deploy/edge."""
    if not (settings.root / "deploy" / "edge" / "render.py").is_file():
        return None
    # Debian keeps nginx in a folder that is not on every user's PATH.
    nginx = shutil.which("nginx") or "/usr/sbin/nginx"
    if not Path(nginx).exists():
        raise Refusal("nginx is not installed; run: make install")
    folder = settings.var / "edge"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    renderer = importlib.import_module("deploy.edge.render")
    try:
        given = {**env.operator_settings(platform), **platform}
        config = renderer.render(given, units.table(settings.root), folder)
    except ValueError as problem:
        raise Refusal(f"The edge cannot be configured: {problem}") from problem
    # Any-address is an address to listen on, but none to connect to.
    host = LOOPBACK if settings.bind in {"", "0.0.0.0", "::"} else settings.bind  # noqa: S104
    return Spec(
        name="edge",
        command=(nginx, "-p", str(folder), "-c", str(config), "-g", "daemon off;"),
        env=env.inherited(),
        cwd=folder,
        ready=listens(settings.edge_port, host),
    )
