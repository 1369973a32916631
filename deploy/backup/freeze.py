"""A process held still for a moment, while its file is copied.

A copy that is made meanwhile is what a power failure at that moment would have left, and the engines are known to come back from
that: the embedded database commits and forces every write before it answers (deploy/local/MongoLauncher.java).
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

from deploy.backup.waiting import until
from deploy.local.child import kill_group
from deploy.local.say import Refusal

# Clients of the database wait for 15 s; a pause beyond that would be an outage.
LONGEST = 12
_BLOCK = 1 << 20


class Pause:
    """How long a freeze lasted, known after it."""

    seconds = 0.0


@contextlib.contextmanager
def frozen(group: int) -> Iterator[Pause]:
    """Hold all processes of this process group. They go on afterwards, also when this process is killed.

    Raises Refusal when they had to go on before the work was done: then a copy may be torn.
    """
    pause, began = Pause(), time.monotonic()  # before the guard, which counts from later on
    guard = subprocess.Popen(
        ["/bin/sh", "-c", f"sleep {LONGEST}; kill -CONT -{group}"],
        start_new_session=True,
        stdin=subprocess.DEVNULL,
    )
    try:
        _signal(group, signal.SIGSTOP)
        until(lambda: _all_stopped(group), 2, "The process to be copied does not hold still.")
        yield pause
        _signal(group, signal.SIGCONT)
        # The guard wakes them before it ends, so its end alone would be seen too late.
        if guard.poll() is not None or time.monotonic() - began >= LONGEST:
            raise Refusal(
                f"Copying took longer than the {LONGEST} s for which work may pause; try at a quieter time."
            )
    finally:
        # Before anything else, and whatever went wrong: nobody may be left standing still.
        with contextlib.suppress(Refusal):
            _signal(group, signal.SIGCONT)
        pause.seconds = time.monotonic() - began
        kill_group(guard.pid)
        guard.wait()


def _signal(group: int, number: signal.Signals) -> None:
    try:
        os.killpg(group, number)
    except ProcessLookupError:
        raise Refusal("The process to be copied has just ended; try again when it is back.") from None


def copy_changed(source: Path, target: Path) -> None:
    """Make `target` equal to `source`, writing only what differs.

    Called once before a freeze and once in it, the second call has little to write.
    """
    target.touch(mode=0o600)
    with source.open("rb") as reading, target.open("r+b") as there:
        while block := reading.read(_BLOCK):
            at = there.tell()
            if there.read(len(block)) != block:
                there.seek(at)
                there.write(block)
        there.truncate()


def _all_stopped(group: int) -> bool:
    """Whether every thread of the group is stopped: a signal reaches them a little later than it is sent."""
    for status in Path("/proc").glob("[0-9]*/stat"):
        try:
            if int(_fields(status)[2]) != group:
                continue
            states = [_fields(thread)[0] for thread in status.parent.glob("task/[0-9]*/stat")]
        except (FileNotFoundError, ProcessLookupError):
            continue  # It ended while we looked.
        if any(state not in "TtZX" for state in states):
            return False
    return True


def _fields(status: Path) -> list[str]:
    """What the kernel says of a process or thread, from its state on (proc(5)); its name may hold anything."""
    return status.read_text().rpartition(")")[2].split()
