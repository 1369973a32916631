"""A deployment for tests, on ports of its own, beside whatever else runs.

with Stack(tmp_path, engines=("mongo", "nats"), applications=False) as stack:
    client = MongoClient(stack.env["TONGBAN_MONGO_URI"])
    stack.kill("mongo")
    stack.restart("mongo")
"""

import contextlib
from collections.abc import Callable
from pathlib import Path
from typing import Self

from deploy.local import engines as all_engines
from deploy.local import rolling
from deploy.local.cache import ROOT
from deploy.local.child import Spec
from deploy.local.deployment import Deployment
from deploy.local.ports import BLOCK, free_block
from deploy.local.say import line
from deploy.local.settings import Settings


class NotReady(AssertionError):
    """Some process did not become ready; the message names it and its last words."""


class Stack:
    """All or some of the platform's processes in the folder `var`, which may be kept for a quicker start."""

    def __init__(
        self,
        var: Path,
        *,
        engines: tuple[str, ...] = all_engines.NAMES,
        applications: bool = True,
        demo: bool = True,
        root: Path = ROOT,
        seconds: float = 240.0,
        say: Callable[[str], None] = line,
        adapt: Callable[[list[Spec]], list[Spec]] = list,
    ) -> None:
        self._var = var.absolute()
        self._engines = engines
        self._applications = applications
        self._demo = demo
        self._root = root
        self._seconds = seconds
        self._say = say
        self._adapt = adapt
        self._cleanup = contextlib.ExitStack()
        self.settings: Settings
        self._deployment: Deployment

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        """Start everything and wait until it is ready. Raises NotReady, with nothing left running."""
        with contextlib.ExitStack() as cleanup:
            base = cleanup.enter_context(free_block())
            self.settings = Settings(
                var=self._var, base_port=base, edge_port=base + BLOCK - 1, demo=self._demo, root=self._root
            )
            deployment = Deployment(
                self.settings, self._say,
                which=self._engines, with_applications=self._applications, adapt=self._adapt,
            )  # fmt: skip
            self._deployment = cleanup.enter_context(deployment)
            if not deployment.supervisor.wait_ready(self._seconds):
                raise NotReady(self._complaint(deployment.supervisor.not_ready()))
            self._cleanup = cleanup.pop_all()

    def stop(self) -> None:
        """End everything and give the ports back. A second call does nothing."""
        self._cleanup.close()

    @property
    def env(self) -> dict[str, str]:
        """The platform's environment, for clients inside the test's own process."""
        return dict(self._deployment.env)

    @property
    def url(self) -> str:
        return self.settings.public_url

    @property
    def ca(self) -> Path:
        """The certificate authority to trust at `url`."""
        return self.settings.tls / "ca.crt"

    @property
    def names(self) -> list[str]:
        """The processes: `mongo`, `nats`, `keycloak`, `edge`, and `<unit>-<process>`."""
        return list(self._deployment.supervisor.keepers)

    def pid(self, name: str) -> int:
        """The process id of a running process."""
        return self._deployment.supervisor.pids()[name]

    def log(self, name: str) -> Path:
        return self.settings.logs / f"{name}.log"

    def kill(self, name: str, *, hold: bool = True) -> None:
        """End it by SIGKILL. It stays down until `restart`; with hold=False it comes back by itself."""
        self._deployment.supervisor.end(name, hold=hold, kill=True)

    def halt(self, name: str) -> None:
        """End it gracefully; it stays down until `restart`."""
        self._deployment.supervisor.end(name, hold=True, kill=False)

    def restart(self, name: str, seconds: float = 60.0) -> None:
        """Start it anew, whether it runs or not, and wait until it is ready. Raises NotReady."""
        if not self._deployment.supervisor.restart(name, seconds):
            raise NotReady(self._complaint([name]))

    def renew(self, *names: str, seconds: float = 60.0) -> None:
        """Renew processes while they are used (all of the application without names). Raises NotReady."""
        failed = rolling.renew_all(self._deployment.supervisor, names, seconds)
        if failed:
            raise NotReady(self._complaint(failed))

    def wait_ready(self, name: str, seconds: float = 60.0) -> None:
        """Wait until a process that comes back by itself is ready. Raises NotReady."""
        if not self._deployment.supervisor.keepers[name].ready.wait(seconds):
            raise NotReady(self._complaint([name]))

    def run(self, *arguments: str) -> int:
        """Run `python <arguments>` in the platform's environment, e.g. `run("-m", "deploy.demo")`."""
        return self._deployment.run_once(*arguments).wait()

    def _complaint(self, names: list[str]) -> str:
        keepers = self._deployment.supervisor.keepers
        words = (f"{name} (it said: {keepers[name].child.complaint() or 'nothing'})" for name in names)
        return f"not ready: {'; '.join(words)}; logs in {self.settings.logs}"
