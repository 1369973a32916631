"""Files that are whole or not there at all, whatever ends the process or the machine meanwhile. Standard library only: the launcher uses it, too."""

from __future__ import annotations

import os
import secrets
import tempfile
from pathlib import Path


def write_all(handle: int, data: bytes) -> None:
    """Write all of it: a nearly full disk takes only a part at a time.

    Raises OSError.
    """
    left = memoryview(data)
    while left:
        left = left[os.write(handle, left) :]


def replace_file(path: Path, content: bytes) -> None:
    """Write a file that its owner alone may read; it is on the disk when this returns.

    Raises OSError; then the file is what it was before.
    """
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    draft = Path(name)
    try:
        try:
            write_all(handle, content)
            os.fsync(handle)
        finally:
            os.close(handle)
        draft.rename(path)
    except BaseException:
        draft.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def append_line(path: Path, line: bytes) -> None:
    """Append a line; it is on the disk when this returns.

    Raises OSError; then nothing of it stands in the file.
    """
    handle = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    try:
        size = os.fstat(handle).st_size
        try:
            write_all(handle, line + b"\n")
            os.fsync(handle)
        except OSError:
            os.ftruncate(handle, size)
            raise
    finally:
        os.close(handle)


def sync_folder(folder: Path) -> None:
    """Make what was created, renamed and removed in a folder outlive the machine."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def ensure_secret(folder: Path, name: str, make: str = "") -> str:
    """The secret `name`; made (`make`, or 43 random characters) when its file is absent or empty.

    The file appears with its final rights and content at once, so that a process that starts meanwhile never reads half of it.
    """
    path = folder / name
    if path.is_file() and (value := path.read_text().strip()):
        return value
    value = make or secrets.token_urlsafe(32)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    replace_file(path, value.encode())
    return value
