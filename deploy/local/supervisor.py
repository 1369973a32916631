"""Starts processes in the order of their dependencies, keeps them running, ends them in reverse order.

One thread keeps one process. A process that ends by itself is started again, after a pause that doubles with
every early end, and a line says so. Who has shown that it can start is not kept waiting long, however often it ends.
"""

import threading
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

from deploy.local.child import Child, Spec

_TICK = 0.1
# A probe is asked more and more seldom: what takes long to start is not helped by being asked all the time.
_SLOWEST_PROBE = 0.5
_PROBE_GROWTH = 1.2
_FIRST_PAUSE = 0.2
_LONGEST_PAUSE = 30.0
# For who was ready before it ended: others wait for it, and its start is known to succeed.
_LONGEST_PAUSE_OF_READY = 2.0
# Who was ready for so long has got over its early troubles: the next pause is a short one again.
_STEADY_SECONDS = 10.0
_GRACE_SECONDS = 15.0
# A process that runs and does not work is asked so often, and given up after so many times no in a row.
_WORKS_SECONDS = 2.0
_WORKS_TIMES = 5


class Keeper:
    """Keeps one process: waits for what it needs, starts it, watches it."""

    def __init__(self, child: Child, needs: list["Keeper"], say: Callable[[str], None]) -> None:
        self.child = child
        self.ready = threading.Event()
        self._needs = needs
        self._say = say
        self._held = threading.Event()
        # Whether the present process is to end because somebody here wants it to.
        self._meant = threading.Event()
        self._ready_since = 0.0
        self._closing = threading.Event()
        # Whoever starts or ends the process holds this; it is never held while waiting for readiness.
        self.changing = threading.RLock()
        # For the report: since when it is as it is, how often it came back by itself, and why the last time.
        self.since = time.time()
        self.restarts = 0
        self.reason = ""
        self._pausing = False
        self.thread = threading.Thread(target=self._run, name=child.spec.name, daemon=True)

    @property
    def name(self) -> str:
        return self.child.spec.name

    @property
    def state(self) -> str:
        """One word: waiting, starting, ready, done (a one-shot), pausing (before it is started again), held."""
        if self.child.running:
            return "ready" if self.ready.is_set() else "starting"
        if self._held.is_set():
            return "held"
        if self.ready.is_set():
            return "done"
        return "pausing" if self._pausing else "waiting"

    def report(self) -> dict[str, object]:
        """What the operator wants to know of it."""
        since = datetime.fromtimestamp(self.since, UTC).isoformat(timespec="seconds")
        pid = self.child.pid if self.child.running else None
        return {
            "state": self.state,
            "pid": pid,
            "since": since,
            "restarts": self.restarts,
            "reason": self.reason,
        }

    def hold(self) -> None:
        """Do not start it (again) until `release`."""
        self._meant.set()
        self._held.set()
        self.ready.clear()

    def release(self) -> None:
        self._held.clear()

    def close(self) -> None:
        """Never start it again."""
        self._closing.set()

    def _run(self) -> None:
        while not self._closing.is_set() and not all(need.ready.is_set() for need in self._needs):
            self._closing.wait(_TICK)
        pause = _FIRST_PAUSE
        while not self._closing.is_set():
            if self._held.is_set():
                self._closing.wait(_TICK)
                continue
            try:
                if not self._start() or self._watch():
                    continue
            except OSError as problem:
                self._say(f"{self.name} cannot be started ({problem}); trying again in {pause:g} s")
                self._closing.wait(pause)
                pause = min(pause * 2, _LONGEST_PAUSE)
                continue
            if self.child.spec.once and self.child.status() == 0:
                self._say(f"{self.name} is done")
                self.ready.set()
                return
            if self._ready_since and time.monotonic() - self._ready_since > _STEADY_SECONDS:
                pause = _FIRST_PAUSE
            elif self._ready_since:
                pause = min(pause, _LONGEST_PAUSE_OF_READY)
            words = self.child.last_words()
            self.restarts += 1
            self.reason = f"status {self.child.status()}" + (f": {words}" if words else "")
            self.since, self._pausing = time.time(), True
            self._say(
                f"{self.name} ended with status {self.child.status()}; starting it again in {pause:g} s"
                + (f" (it said: {words})" if words else "")
            )
            self._closing.wait(pause)
            pause = min(pause * 2, _LONGEST_PAUSE)

    def _start(self) -> bool:
        with self.changing:
            if self._closing.is_set() or self._held.is_set():
                return False
            self._pausing = False
            self.since = time.time()
            self._meant.clear()
            self._ready_since = 0.0
            self.child.start()
            return True

    def _watch(self) -> bool:
        """Until the process has ended. True when it was meant to."""
        probing, next_probe = _TICK, time.monotonic()
        next_look, idle = time.monotonic(), 0
        while self.child.running and idle < _WORKS_TIMES:
            if not self.ready.is_set() and not self.child.spec.once and time.monotonic() >= next_probe:
                if self.child.spec.ready():
                    self._became_ready()
                probing = min(probing * _PROBE_GROWTH, _SLOWEST_PROBE)
                next_probe = time.monotonic() + probing
            if self.ready.is_set() and self.child.spec.works and time.monotonic() >= next_look:
                next_look = time.monotonic() + _WORKS_SECONDS
                idle = 0 if self.child.spec.works() else idle + 1
            time.sleep(_TICK)
        self.ready.clear()
        if self._closing.is_set() or self._meant.is_set():
            return True
        with self.changing:
            # What it may have left of its group still holds its port.
            self.child.kill()
        return False

    def _became_ready(self) -> None:
        with self.changing:
            if not self._held.is_set() and self.child.running:
                self._ready_since = time.monotonic()
                self._say(f"{self.name} is ready")
                self.ready.set()

    def replace(self, successor: Child) -> Child:
        """Watch `successor` from now on; returns the process that was watched."""
        with self.changing:
            former, self.child = self.child, successor
        return former


class Supervisor:
    """All processes of one deployment."""

    def __init__(self, specs: Iterable[Spec], logs: Path, say: Callable[[str], None]) -> None:
        self.keepers: dict[str, Keeper] = {}
        for spec in specs:
            needs = [self.keepers[name] for name in spec.after]
            self.keepers[spec.name] = Keeper(Child(spec, logs), needs, say)

    def start(self) -> None:
        for keeper in self.keepers.values():
            keeper.thread.start()

    def wait_ready(self, seconds: float, wanted: Callable[[], bool] = lambda: True) -> bool:
        """Whether everything became ready within `seconds`, and while `wanted` says yes."""
        end = time.monotonic() + seconds
        while wanted() and time.monotonic() < end:
            if not self.not_ready():
                return True
            time.sleep(_TICK)
        return False

    def not_ready(self) -> list[str]:
        return [name for name, keeper in self.keepers.items() if not keeper.ready.is_set()]

    def pids(self) -> dict[str, int]:
        """The running processes."""
        children = {name: keeper.child for name, keeper in self.keepers.items()}
        return {name: child.pid for name, child in children.items() if child.pid and child.running}

    def report(self) -> dict[str, dict[str, object]]:
        """Every process, for whoever looks at the platform from outside."""
        return {name: keeper.report() for name, keeper in self.keepers.items()}

    def end(self, name: str, *, hold: bool, kill: bool) -> None:
        """End one process, at once or gracefully; unless held it is started again."""
        keeper = self.keepers[name]
        with keeper.changing:
            if hold:
                keeper.hold()
            keeper.ready.clear()
            if not kill:
                keeper.child.terminate()
                keeper.child.wait(_GRACE_SECONDS)
            keeper.child.kill()

    def restart(self, name: str, seconds: float) -> bool:
        """Start one process anew, whether it runs or is held; whether it became ready within `seconds`."""
        self.end(name, hold=True, kill=False)
        keeper = self.keepers[name]
        keeper.release()
        return keeper.ready.wait(seconds)

    def stop(self) -> None:
        """End everything: first what nobody needs, then what those needed."""
        for keeper in self.keepers.values():
            keeper.close()
        for names in reversed(self._levels()):
            with ThreadPoolExecutor(len(names)) as pool:
                list(pool.map(lambda name: self.end(name, hold=True, kill=False), names))

    def _levels(self) -> list[list[str]]:
        """Names by their depth: a process stands deeper than everything it needs."""
        depth: dict[str, int] = {}
        for name, keeper in self.keepers.items():
            depth[name] = max((depth[need] + 1 for need in keeper.child.spec.after), default=0)
        return [
            [name for name in depth if depth[name] == level]
            for level in range(max(depth.values(), default=-1) + 1)
        ]
