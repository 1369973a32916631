"""One deployment on this machine, from its lock to its last process; `make run` and tests stand on it."""

import contextlib
import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable
from typing import Any, Self

from chassis.durable import ensure_secret
from deploy.local import (
    applications,
    engines,
    env,
    gen,
    logs,
    rolling,
    secretfiles,
    state,
    targets,
    tls,
    units,
)
from deploy.local.accounts import divided, shared
from deploy.local.cache import complete, tools
from deploy.local.child import Spec
from deploy.local.ports import Ports
from deploy.local.say import Refusal
from deploy.local.settings import Settings
from deploy.local.supervisor import Supervisor

_STATE_SECONDS = 0.5
_CERTIFY_SECONDS = 3600.0  # between two looks whether a certificate nears its end


class Deployment:
    """Starts, watches and ends all processes. Use as a context manager: leaving it ends everything."""

    def __init__(
        self,
        settings: Settings,
        say: Callable[[str], None],
        *,
        which: tuple[str, ...] = engines.NAMES,
        with_applications: bool = True,
        adapt: Callable[[list[Spec]], list[Spec]] = list,
    ) -> None:
        """`adapt` may change what is run and in which order, after all configurations are written: for tests."""
        self.settings = settings
        self._say = say
        self._which = which
        self._with_applications = with_applications
        self._adapt = adapt
        self._renewals = 0
        self._not_renewed: list[str] = []
        self._cleanup = contextlib.ExitStack()
        self._closing = threading.Event()
        self.env: dict[str, str] = {}
        self._listed: tuple[units.Unit, ...] = ()
        self.supervisor: Supervisor

    def __enter__(self) -> Self:
        with contextlib.ExitStack() as cleanup:
            cleanup.enter_context(state.locked(self.settings.var))
            state.end_leftovers(self.settings.var)
            self._prepare()
            cleanup.callback(self._forget)
            self.supervisor.start()
            cleanup.callback(self.supervisor.stop)
            writer = threading.Thread(target=self._keep_state, daemon=True)
            writer.start()
            cleanup.callback(self._stop_writing, writer)
            self._cleanup = cleanup.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._cleanup.close()

    def _prepare(self) -> None:
        """Check all that can be checked, then write configurations; nothing is started before that."""
        settings, where = self.settings, tools()
        if not complete(where.environment) or not complete(where.mongo):
            raise Refusal("The tools are not installed yet; run: make install")
        self._listed = listed = units.load(settings.root)
        present = tuple(unit for unit in listed if unit.exists(settings.root))
        wanted = present if self._with_applications else ()
        Ports(settings).check_free(wanted, edge=self._with_applications)
        secretfiles.private(settings.secrets)
        for name in secretfiles.AT_START:
            ensure_secret(settings.secrets, name)
        secretfiles.demo_key(settings.secrets, wanted=settings.demo)
        tls.ensure(settings.tls)
        self._certify(anew=True)
        self.env = env.shared(settings, where, listed)
        specs = [engines.spec(name, settings, where) for name in self._which]
        if self._with_applications:
            for unit in listed:
                if unit not in present:
                    self._say(f"{unit.name} is left out: {unit.module} is not in this clone")
            gen.generate(settings.root)
            gen.bytecode(settings.root)
            shared(settings.var / "ready")
            targets.write(settings, present)
            edge = applications.edge(settings, self.env)
            specs += [edge] if edge else []
            made = applications.Applications(settings, where, self.env, divided=self._accounts(present))
            specs += made.specs(present, self._which)
        self.supervisor = Supervisor(self._adapt(specs), settings.logs, self._say)

    def _accounts(self, present: tuple[units.Unit, ...]) -> bool:
        """Whether units run under accounts of their own; who runs the platform is told if not."""
        found = divided({unit.account for unit in present})
        if not found:
            self._say(
                "all processes run under one account; started by root, the audit's have one of their own"
            )
        return found

    def renew(self) -> None:
        """Renew every process of the application, one after another, while it is used."""
        self._say("renewing every process of the application")
        self._not_renewed = rolling.renew_all(self.supervisor)
        self._renewals += 1
        self._say(f"not renewed: {', '.join(self._not_renewed)}" if self._not_renewed else "all are renewed")

    def run_once(self, *arguments: str) -> subprocess.Popen[bytes]:
        """Start `python <arguments>` in the platform's environment, with our standard output."""
        environment = {
            **env.for_python(self.settings, self.env),
            "TONGBAN_SERVICE": "demo",
            "TONGBAN_PROCESS": "demo",
        }
        command = [str(tools().python), *arguments]
        return subprocess.Popen(command, env=environment, cwd=self.settings.root, start_new_session=True)

    def _certify(self, *, anew: bool) -> None:
        """Certificates for all who speak gRPC: the units of the list, and the demonstration's loader."""
        names = [unit.name for unit in self._listed if not unit.site]
        demo = [units.DEMO] if self.settings.demo else []
        tls.ensure_units(self.settings.certificates, [*names, *demo], anew=anew)

    def _state(self) -> dict[str, Any]:
        return {
            "ready": not self.supervisor.not_ready(),
            "url": self.settings.public_url,
            "ca": str(self.settings.tls / "ca.crt"),
            "ports": Ports(self.settings).listening(self._listed),
            "env": self.env,
            "supervisor": os.getpid(),
            "renewals": self._renewals,
            "not_renewed": self._not_renewed,
        }

    def _keep_state(self) -> None:
        written = reported = None
        certified = looked = time.monotonic()
        while not self._closing.is_set():
            current, report = (self._state(), self.supervisor.pids()), self.supervisor.report()
            if current != written:
                self._try("The state cannot be written", state.write, self.settings.var, *current)
                written = current
            if report != reported:
                self._try(
                    "The processes' report cannot be written", state.write_report, self.settings.var, report
                )
                reported = report
            if time.monotonic() - looked > logs.EVERY:
                self._try("A large log cannot be set aside", self._set_logs_aside)
                looked = time.monotonic()
            if time.monotonic() - certified > _CERTIFY_SECONDS:
                self._try("The units' certificates cannot be renewed", self._certify, anew=False)
                certified = time.monotonic()
            self._closing.wait(_STATE_SECONDS)

    def _try(self, otherwise: str, do: Callable[..., object], *given: object, **more: object) -> None:
        """Do it, or say that it failed: a full disk must not end the supervision of what still runs."""
        try:
            do(*given, **more)
        except (OSError, Refusal) as problem:
            self._say(f"{otherwise}: {problem}")

    def _set_logs_aside(self) -> None:
        settings = self.settings
        logs.set_aside(
            settings.logs,
            settings.var / "edge",
            settings.log_bytes,
            lambda: self.supervisor.keepers["edge"].child.send(signal.SIGUSR1),
        )

    def _stop_writing(self, writer: threading.Thread) -> None:
        self._closing.set()
        writer.join()

    def _forget(self) -> None:
        for name in (state.STATE, state.REPORT):
            (self.settings.var / name).unlink(missing_ok=True)
        if self._with_applications:
            applications.forget_edge(self.settings)
