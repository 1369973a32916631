"""What a running deployment leaves in its folder: a lock while it lives, and state.json for whoever asks."""

import contextlib
import fcntl
import json
import os
import signal
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from deploy.local.child import kill_group
from deploy.local.say import Refusal, line
from deploy.local.secretfiles import write_private

STATE = "state.json"
REPORT = "processes.json"
_LOCK = "lock"
_GRACE_SECONDS = 10.0


@contextlib.contextmanager
def locked(var: Path) -> Iterator[None]:
    """Hold the deployment's lock, which ends with this process however it ends; refuse if taken."""
    var.mkdir(mode=0o700, parents=True, exist_ok=True)
    with (var / _LOCK).open("w") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Refusal(
                f"Tongban already runs in {var}; stop that one (Ctrl-C), or give this one a folder of its "
                "own with --var and ports of its own with --base-port and --edge-port."
            ) from None
        yield


def is_running(var: Path) -> bool:
    """Whether a deployment holds the lock of `var`."""
    try:
        with (var / _LOCK).open("r") as handle:
            fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except BlockingIOError:
        return True
    return False


def read(var: Path) -> dict[str, Any]:
    """The state of what runs in `var`: ready, url, ca, env, ports, processes; refuses if nothing does."""
    if not is_running(var):
        raise Refusal(f"Nothing runs in {var}; start it with: make run")
    return dict(json.loads((var / STATE).read_text()))


def write(var: Path, state: Mapping[str, Any], pids: Mapping[str, int]) -> None:
    """Write state.json. It holds the broker's password, so only the owner may read it."""
    processes = {name: {"pid": pid, "born": _born(pid)} for name, pid in pids.items()}
    write_private(var / STATE, json.dumps({**state, "processes": processes}, indent=2, ensure_ascii=False))


def write_report(var: Path, report: Mapping[str, Any]) -> None:
    """Write what the supervisor knows of each process; it holds no secret but error texts, so the owner alone reads it."""
    write_private(var / REPORT, json.dumps(report, indent=2, ensure_ascii=False))


def end_leftovers(var: Path) -> None:
    """End what a supervisor that was killed left running. The caller holds the lock.

    A process counts as left behind only when both its id and its time of birth are those that were written
    down: ids are used again.
    """
    path = var / STATE
    try:
        processes = json.loads(path.read_text())["processes"].values()
    except FileNotFoundError:
        return
    except (ValueError, KeyError):
        line(f"{path} cannot be read; going on without it.")
        return
    left = [entry["pid"] for entry in processes if entry["born"] and entry["born"] == _born(entry["pid"])]
    if left:
        line(f"Ending {len(left)} processes which an earlier run left behind.")
    for pid in left:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGTERM)
    end = time.monotonic() + _GRACE_SECONDS
    while time.monotonic() < end and any(_born(pid) for pid in left):
        time.sleep(0.1)
    for pid in left:
        kill_group(pid)
    path.unlink()


def _born(pid: int) -> str:
    """When the kernel started `pid`, in ticks since boot; '' when it is gone or only waits to be reaped."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return ""
    return "" if fields[0] == "Z" else fields[19]
