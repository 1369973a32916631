"""A small disk of its own: 8 MB of tmpfs, which can be filled to the last byte and emptied again."""

from __future__ import annotations

import contextlib
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

MEGABYTES = 8


class Volume:
    """One mounted disk."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._ballast = path / "ballast"

    def fill(self, *, but: int = 0) -> None:
        """Somebody else's file takes all room, but for so many bytes."""
        self._ballast.unlink(missing_ok=True)
        with self._ballast.open("wb", buffering=0) as out, contextlib.suppress(OSError):
            while True:
                out.write(b"\0" * (1 << 16))
        if but:
            os.truncate(self._ballast, max(0, self._ballast.stat().st_size - but))

    def empty(self) -> None:
        """There is room again."""
        self._ballast.unlink(missing_ok=True)

    def grow(self, megabytes: int) -> None:
        """The administrator gives it a larger disk."""
        subprocess.run(["mount", "-o", f"remount,size={megabytes}m", str(self.path)], check=True)

    @property
    def free(self) -> int:
        """Bytes."""
        found = os.statvfs(self.path)
        return found.f_bavail * found.f_frsize


@contextmanager
def volume(path: Path, megabytes: int = MEGABYTES) -> Iterator[Volume]:
    """Mount one at `path` for the with-block; where that is not permitted the test is skipped."""
    path.mkdir(parents=True, exist_ok=True)
    command = ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m,mode=700", "tongban-trial", str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"a volume of its own cannot be mounted here: {done.stderr.strip()[:100]}")
    try:
        yield Volume(path)
    finally:
        # Processes that just ended may hold it for a moment.
        subprocess.run(["umount", "-l", str(path)], check=True)
