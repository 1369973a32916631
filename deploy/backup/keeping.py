"""Archives in their folder: names, second copies, which are kept, and when the last one succeeded."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import re
import shutil
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from deploy.local.say import Refusal
from deploy.local.secretfiles import write_private

WORK = "backup-work-"
OVERDUE = timedelta(hours=26)
_NAME = re.compile(r"tongban-(\d{8}T\d{6})Z\.tbk")
_TIME = "%Y%m%dT%H%M%S"
_STATE = "backup.json"
# Of each of so many of the latest days, weeks and months that have any, the newest archive stays.
_KEPT: tuple[tuple[int, Callable[[datetime], object]], ...] = (
    (7, lambda moment: moment.date()),
    (4, lambda moment: moment.isocalendar()[:2]),
    (6, lambda moment: (moment.year, moment.month)),
)


def name(moment: datetime) -> str:
    """The name of an archive: it tells of which instant it is."""
    return f"tongban-{moment:{_TIME}}Z.tbk"


@contextlib.contextmanager
def alone(var: Path) -> Iterator[None]:
    """Be the only backup of this deployment; what a killed one left behind is removed."""
    with (var / "backup.lock").open("w") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Refusal(f"Another backup of {var} is under way; wait for its end.") from None
        for left in var.glob(f"{WORK}*"):
            shutil.rmtree(left)
        yield


def digest(path: Path) -> str:
    """The SHA-256 of a file."""
    with path.open("rb") as source:
        return hashlib.file_digest(source, "sha256").hexdigest()


def copy(archive: Path, folder: Path) -> None:
    """Put a copy into the second place and read it back.

    Refuses when the copy differs; then none is there.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    draft = folder / f".{archive.name}.part"
    try:
        shutil.copyfile(archive, draft)
        draft.chmod(0o600)
        if digest(draft) != digest(archive):
            raise Refusal(f"The copy in {folder} differs from {archive}; is that disk in order?")
        draft.rename(folder / archive.name)
    finally:
        draft.unlink(missing_ok=True)


def note(var: Path, archive: Path, also: Path | None, cut: datetime, seconds: float) -> None:
    """Write down that a backup succeeded; `status` reads it."""
    facts = {
        "cut": cut.isoformat(), "archive": str(archive), "also": str(also / archive.name) if also else "",
        "sha256": digest(archive), "bytes": archive.stat().st_size, "seconds": round(seconds, 1),
        # An archive is noted only after it was read back to its end and compared; the portal shows it.
        "verified": datetime.now(UTC).isoformat(timespec="seconds"),
    }  # fmt: skip
    write_private(var / _STATE, json.dumps(facts, indent=2))


def last(var: Path) -> dict[str, Any]:
    """What is known of the last success; empty when there was none."""
    path = var / _STATE
    return dict(json.loads(path.read_text())) if path.is_file() else {}


def status(var: Path, now: datetime) -> tuple[bool, str]:
    """Whether the last backup is young enough and still where it was put, and a sentence for the alarm."""
    found = last(var)
    if not found:
        return False, f"There is no backup of {var} yet."
    age = now - datetime.fromisoformat(found["cut"])
    said = f"The last backup of {var} is {age / timedelta(hours=1):.1f} h old: {found['archive']}"
    if age > OVERDUE:
        return False, f"{said}. It is overdue since {age - OVERDUE}."
    lost = [path for path in (found["archive"], found["also"]) if path and not Path(path).is_file()]
    if lost:
        return False, f"{said}. It is not there any more: {', '.join(lost)}."
    return True, f"{said}."


def surplus(names: Iterable[str]) -> list[str]:
    """Which of these archives need not be kept: all but 7 daily, 4 weekly and 6 monthly ones.

    Names that are no archive's are passed over.
    """
    dated = sorted(((_moment(one), one) for one in names if _NAME.fullmatch(one)), reverse=True)
    kept: set[str] = set()
    for how_many, period in _KEPT:
        newest: dict[object, str] = {}
        for moment, one in dated:
            newest.setdefault(period(moment), one)
        kept.update(list(newest.values())[:how_many])
    return sorted(one for _, one in dated if one not in kept)


def prune(folder: Path) -> list[str]:
    """Remove surplus archives from a folder; returns their names."""
    gone = surplus(path.name for path in folder.iterdir())
    for one in gone:
        (folder / one).unlink()
    return gone


def _moment(one: str) -> datetime:
    found = _NAME.fullmatch(one)
    assert found  # noqa: S101 - callers have matched it
    return datetime.strptime(found[1], _TIME).replace(tzinfo=UTC)
