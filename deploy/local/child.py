"""One supervised process: how it is started, known to be ready, and ended."""

import os
import re
import signal
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from deploy.local.probes import Probe

_TAIL_BYTES = 8192
AGAIN, BESIDE, WORKERS = "again", "beside", "workers"
# The last line of a Python traceback, whatever else is logged after it.
_ERROR = re.compile(r"[A-Za-z_][\w.]*(Error|Exception|Missing|Refused)\b.*")


def _nothing() -> None:
    pass


@dataclass(frozen=True)
class Spec:
    """What to run. `ready` is asked until it says yes; a one-shot is ready once it ended with status 0.

    `works` is asked for as long as it runs: a process that says no for many seconds is started anew.
    """

    name: str
    command: tuple[str, ...]
    env: Mapping[str, str]
    cwd: Path
    ready: Probe
    after: tuple[str, ...] = ()
    once: bool = False
    before: Callable[[], None] = field(default=_nothing)
    # How it is renewed while others use it: BESIDE (a new one starts on the same port before the old one ends), WORKERS
    # (its leader adds a worker on SIGTTIN and ends the oldest on SIGTTOU) or AGAIN (it ends and starts: nobody calls it).
    renewal: str = AGAIN
    worker_ready: Callable[[int], bool] = lambda _pid: True
    port: int = 0
    # Whether a rolling restart takes it in: the application's processes, not the engines or the edge.
    renewable: bool = False
    works: Probe | None = None


class Child:
    """A running process in a process group of its own, so that Ctrl-C in the terminal reaches only us.

    Only this group is ever signalled.
    """

    def __init__(self, spec: Spec, logs: Path) -> None:
        self.spec = spec
        self.log = logs / f"{spec.name}.log"
        self._popen: subprocess.Popen[bytes] | None = None
        self._log_start = 0
        self._earlier_words = ""  # what the run before this one said last

    def start(self) -> None:
        """Start it, appending to its log."""
        self.spec.before()
        self._earlier_words = self.last_words() if self._popen else ""
        self.log.parent.mkdir(parents=True, exist_ok=True)
        with self.log.open("ab") as output:
            self._log_start = output.tell()
            self._popen = subprocess.Popen(
                self.spec.command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=dict(self.spec.env),
                cwd=self.spec.cwd,
                start_new_session=True,
            )

    def another(self) -> "Child":
        """A further process of the same specification, not started yet."""
        return Child(self.spec, self.log.parent)

    @property
    def pid(self) -> int | None:
        return self._popen.pid if self._popen else None

    def status(self) -> int | None:
        """The exit status; None while it runs (or before its start)."""
        return self._popen.poll() if self._popen else None

    @property
    def running(self) -> bool:
        return self._popen is not None and self._popen.poll() is None

    def terminate(self) -> None:
        """Ask it to end. Only the leader is told: it knows best how to end its own children."""
        if self._popen is not None and self._popen.poll() is None:
            self._popen.send_signal(signal.SIGTERM)

    def send(self, number: signal.Signals) -> None:
        """Send it a signal of its own."""
        if self._popen is not None and self._popen.poll() is None:
            self._popen.send_signal(number)

    def wait(self, seconds: float) -> bool:
        """Whether it has ended within `seconds`."""
        if self._popen is None:
            return True
        try:
            self._popen.wait(max(0.0, seconds))
        except subprocess.TimeoutExpired:
            return False
        return True

    def kill(self) -> None:
        """End the whole group at once, and leave nothing of it behind."""
        if self._popen is None:
            return
        kill_group(self._popen.pid)
        self._popen.wait()

    def last_words(self) -> str:
        """What it said last since its start, for the operator: the last error, else the last line."""
        if not self.log.exists():
            return ""
        with self.log.open("rb") as handle:
            size = self.log.stat().st_size
            # A log that is shorter than it was has been set aside meanwhile.
            start = self._log_start if self._log_start <= size else 0
            handle.seek(max(start, size - _TAIL_BYTES))
            lines = handle.read().decode(errors="replace").strip().splitlines()
        errors = [row for row in lines if _ERROR.match(row)]
        return (errors or lines or [""])[-1].strip()[:200]

    def complaint(self) -> str:
        """Why it does not become ready; who has only just been started again has not come to what ended it."""
        words = self.last_words()
        return words if _ERROR.match(words) else self._earlier_words or words


def kill_group(pid: int) -> None:
    """SIGKILL to the process group that `pid` leads; nothing when it is gone."""
    try:
        os.killpg(pid, signal.SIGKILL)
    except ProcessLookupError:
        return
