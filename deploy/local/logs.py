"""Logs that have grown large are set aside while their processes run, one generation of each.

A platform that nobody stops for a year must not fill its disk with what it says.
"""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

EVERY = 60.0  # seconds between two looks


def set_aside(processes: Path, edge: Path, largest: int, reopen: Callable[[], None]) -> None:
    """Set aside whatever is larger than `largest` bytes of the processes' logs and of the edge's.

    `reopen` is called when the edge has to open its files anew. Raises OSError when the disk does not take the copy of a log, which
    then stays as it is.
    """
    for log in _larger(processes, largest):
        _copied(log)
    moved = [log.replace(aside(log)) for log in _larger(edge, largest)]
    if moved:
        reopen()


def aside(log: Path) -> Path:
    """Where the generation before this one lies."""
    return log.with_suffix(".log.1")


def _larger(folder: Path, largest: int) -> list[Path]:
    return [log for log in folder.glob("*.log") if log.stat().st_size > largest]


def _copied(log: Path) -> None:
    """Processes hold their log open as long as they run, and append to it: what it holds is copied, and the log made empty.

    What comes in the instant between the two is lost, which a log may lose and the audit's files may not.
    """
    copy = aside(log)
    copy.unlink(missing_ok=True)
    try:
        with log.open("rb") as source, copy.open("wb") as target:
            shutil.copyfileobj(source, target, 1 << 20)
            os.truncate(log, 0)
    except OSError:
        copy.unlink(missing_ok=True)
        raise
