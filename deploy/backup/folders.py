"""Files of the deployment's folder which are no engine's: secrets, certificates, what a first start has left."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterator
from pathlib import Path

import bson

from deploy.backup.merkle import Tally

# Services cannot open what they sealed without their secrets; browsers trust the authority in tls/; and without the stamp the
# next start would load the demonstration once more.
FOLDERS = ("secrets", "tls")
STAMPS = ("demo.done", "demo-logins.txt")
AUDIT = "files/audit"
_PART = 1 << 20


def files(var: Path) -> dict[str, list[str]]:
    """Section → paths below `var`, sorted."""
    found = {
        f"files/{name}": sorted(
            str(path.relative_to(var)) for path in (var / name).rglob("*") if _wanted(path)
        )
        for name in FOLDERS
    }
    stamps = [name for name in STAMPS if (var / name).is_file()]
    return {**found, "files/stamps": stamps, AUDIT: _audit(var)}


def _audit(var: Path) -> list[str]:
    # The chain, with checkpoints before the segments that they speak of; and what waits on its way into it.
    found = [*(var / "audit" / "chain").glob("*"), *var.glob("*/audit/*")]
    return sorted(str(path.relative_to(var)) for path in found if _wanted(path) and path.name != "lock")


def audit_copy(var: Path, to: Path) -> list[str]:
    """Copy the audit's files, which grow all the time, to a folder where they stand still; returns their paths.

    What is shipped out of the spool meanwhile is in the chain, or in the stream, or both: each record counts once.
    """
    for relative in _audit(var):
        target = to / relative
        target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with contextlib.suppress(FileNotFoundError):
            shutil.copy2(var / relative, target)
    return _audit(to)


def _wanted(path: Path) -> bool:
    # A name with a dot before it is a draft of chassis.durable, about to get its real name.
    return path.is_file() and not path.name.startswith(".")


def parts(base: Path, relative: str) -> Iterator[bytes]:
    """A file in entries of a megabyte at most; one at least, so that an empty file is kept too."""
    path, at = base / relative, 0
    with path.open("rb") as source:
        while (data := source.read(_PART)) or not at:
            yield bson.encode({"path": relative, "mode": path.stat().st_mode & 0o777, "at": at, "data": data})
            at += len(data)
            if not data:
                break


def write(base: Path, content: bytes) -> None:
    """Write one entry to its place below `base`, where only the owner may enter."""
    entry = bson.decode(content)
    path = (base / entry["path"]).resolve()
    if not path.is_relative_to(base.resolve()):
        raise ValueError(f"{entry['path']} leads out of the folder")
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    path.touch(mode=0o600)
    with path.open("r+b") as target:
        target.seek(int(entry["at"]))
        target.write(entry["data"])
    path.chmod(entry["mode"])


def tally(base: Path, paths: list[str]) -> Tally:
    """The tally over these files as they stand."""
    found = Tally()
    for relative in paths:
        for content in parts(base, relative):
            found.add(content)
    return found
