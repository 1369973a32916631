"""Renewing processes while others use them, one after another, so that no call fails.

`python3 -m deploy.local.rolling` renews all of the application's processes of the deployment that runs in TONGBAN_VAR (var/run).
"""

import argparse
import os
import signal
import time
from collections.abc import Callable, Iterable
from pathlib import Path

from deploy.local import state
from deploy.local.cache import ROOT
from deploy.local.child import AGAIN, BESIDE
from deploy.local.probes import children, listening_ports
from deploy.local.say import Refusal, guarded, line
from deploy.local.supervisor import Keeper, Supervisor

GRACE_SECONDS = 15.0
SECONDS = 60.0
_TICK = 0.1


def renew_all(supervisor: Supervisor, names: Iterable[str] = (), seconds: float = SECONDS) -> list[str]:
    """Renew these processes (all of the application without any); returns those that did not become ready.

    A successor that does not become ready is ended, and what ran before runs on.
    """
    keepers = supervisor.keepers
    chosen = list(names) or [name for name, keeper in keepers.items() if keeper.child.spec.renewable]
    return [name for name in chosen if not renew(supervisor, name, seconds)]


def renew(supervisor: Supervisor, name: str, seconds: float = SECONDS) -> bool:
    """Renew one process in the way that its specification names; whether the new one became ready in time."""
    keeper = supervisor.keepers[name]
    how = keeper.child.spec.renewal
    if how == AGAIN:
        return supervisor.restart(name, seconds)
    return _beside(keeper, seconds) if how == BESIDE else _reloaded(keeper, seconds)


def _beside(keeper: Keeper, seconds: float) -> bool:
    """The new one takes calls on the same port before the old one stops taking them."""
    successor = keeper.child.another()
    successor.start()
    spec = successor.spec
    if not _until(
        lambda: not successor.running or (spec.port in listening_ports(successor.pid) and spec.ready()),
        seconds,
    ):
        successor.kill()
        return False
    if not successor.running:
        return False
    former = keeper.replace(successor)
    former.terminate()
    former.wait(GRACE_SECONDS)
    former.kill()
    return True


def _reloaded(keeper: Keeper, seconds: float) -> bool:
    """Its leader keeps the port, adds a worker, and ends the oldest one once the new one serves."""
    child = keeper.child
    before = children(child.pid)
    child.send(signal.SIGTTIN)
    added = _until(
        lambda: (new := children(child.pid) - before) and all(child.spec.worker_ready(one) for one in new),
        seconds,
    )
    child.send(signal.SIGTTOU)
    return added and _until(lambda: child.running and len(children(child.pid)) == len(before), seconds)


def _until(happened: Callable[[], object], seconds: float) -> bool:
    end = time.monotonic() + seconds
    while not happened():
        if time.monotonic() > end:
            return False
        time.sleep(_TICK)
    return True


def main() -> int:
    parser = argparse.ArgumentParser(prog="deploy.local.rolling", description=(__doc__ or "").splitlines()[0])
    parser.parse_args()
    var = Path(os.environ.get("TONGBAN_VAR") or ROOT / "var" / "run").absolute()
    running = state.read(var)
    if not running["ready"]:
        raise Refusal(f"Not everything in {var} is ready; wait until it is, then renew it.")
    done = int(running["renewals"])
    os.kill(int(running["supervisor"]), signal.SIGHUP)
    line("Renewing every process of the application, one after another.")
    while (now := state.read(var))["renewals"] == done:
        time.sleep(_TICK)
    failed = now["not_renewed"]
    line(f"Not renewed: {', '.join(failed)}; these run on as they were." if failed else "All are renewed.")
    return 1 if failed else 0


if __name__ == "__main__":
    guarded(main)
