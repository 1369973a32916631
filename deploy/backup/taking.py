"""Taking a backup of a running deployment, without stopping it.

The cut: the database is held still for as long as it takes to bring a copy up to date, and meanwhile the broker is asked how far it
is. So records of all services, and what of the events is missing where, are of one instant, as after a power failure at it.
The directory, the realm and the secrets are read after the cut: what records refer to is there.
"""

from __future__ import annotations

import os
import shutil
import tempfile
import time
import tomllib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from deploy.backup import folders, keeping, key, realm, records, streams
from deploy.backup.archive import Facts, Reader, Writer
from deploy.backup.freeze import copy_changed, frozen
from deploy.local import state, units, versions
from deploy.local.cache import ROOT
from deploy.local.say import Clock, Refusal

_RECORDS = Path("mongo") / "records.mv"
_RESERVE = 256 << 20


@dataclass(frozen=True)
class Cut:
    """The instant of which a backup is."""

    time: datetime
    pause: float
    after: int
    upto: int


def backup(var: Path, to: Path, also: Path | None, say: Callable[[str], None]) -> Path:
    """Write one archive of what runs in `var` into `to`, verify it, copy it to `also`; returns its path.

    Refuses when nothing runs, when another backup is at it, when there is no room, and when the copy differs.
    """
    running = state.read(var)
    pids = {name: entry["pid"] for name, entry in running["processes"].items()}
    if missing := {"mongo", "nats", "keycloak"} - set(pids):
        raise Refusal(f"{', '.join(sorted(missing))} does not run in {var}; start everything with: make run")
    secret = key.ensure(key.path(), var)
    clock = Clock()
    to.mkdir(mode=0o700, parents=True, exist_ok=True)
    with keeping.alone(var), tempfile.TemporaryDirectory(prefix=keeping.WORK, dir=var) as work:
        _room(var, to)
        draft = to / f".{os.getpid()}.part"
        try:
            with draft.open("wb") as out:
                os.fchmod(out.fileno(), 0o600)
                cut, manifest = _write(var, Path(work), running, pids, Writer(out, secret, _begin()), say)
                out.flush()
                os.fsync(out.fileno())
            say("reading the archive back")
            if Reader(draft, secret).verify() != manifest:
                raise Refusal("The archive is not what was written; is the disk in order?")
            archive = to / keeping.name(cut.time)
            draft.rename(archive)
        finally:
            draft.unlink(missing_ok=True)
    if also:
        keeping.copy(archive, also)
        say(f"copied to {also}, and compared")
    keeping.note(var, archive, also, cut.time, clock.seconds)
    say(
        f"{archive} ({archive.stat().st_size >> 10} KB), of {cut.time:%Y-%m-%d %H:%M:%S} UTC; work paused {cut.pause:.2f} s"
    )
    return archive


def _write(
    var: Path, work: Path, running: Facts, pids: dict[str, int], writer: Writer, say: Callable[[str], None]
) -> tuple[Cut, Facts]:
    indexes: dict[str, Any] = {}
    with streams.Broker(running["env"]["TONGBAN_NATS_URL"]) as broker:
        cut = _cut(var, work, pids["mongo"], broker, writer)
        say(f"the cut is made; the database paused {cut.pause:.2f} s")
        with records.served(work) as database:
            for section in records.sections(database):
                writer.section(section)
                source = records.collection(database, section)
                indexes[section] = records.indexes(source)
                for record in records.records(source):
                    writer.add(section, record)
            missing = _without_records(database.list_database_names())
        say("the records are read")
        writer.section(streams.EVENTS)
        for content in broker.messages(streams.EVENTS.removeprefix("stream/"), cut.after, cut.upto):
            writer.add(streams.EVENTS, content)
        people, pause = _realm(var, work, pids["keycloak"], cut, writer)
        for section in broker.buckets():
            writer.section(section)
            for content in broker.pairs(section):
                writer.add(section, content)
        left_out = [*sorted(records.LEFT_OUT), *broker.left_out()]
    for section, paths in folders.files(var).items():
        if section != folders.AUDIT:
            _files(writer, section, var, paths)
    _files(writer, folders.AUDIT, work / "still", folders.audit_copy(var, work / "still"))
    say("events, realm and secrets are read")
    facts = {
        "cut": cut.time, "paused": cut.pause, "keycloak_paused": pause, "events_after": cut.after, "events_upto": cut.upto,
        "indexes": indexes, "realm": people, "left_out": left_out, "without_records": missing,
        "ended": datetime.now(UTC).replace(microsecond=0),
    }  # fmt: skip
    return cut, writer.finish(facts)


def _cut(var: Path, work: Path, group: int, broker: streams.Broker, writer: Writer) -> Cut:
    letters = streams.LETTERS.removeprefix("stream/")
    writer.section(streams.LETTERS)
    # A dead letter that is replayed leaves its stream. Reading them before the cut, and the newest within it, misses none;
    # one that was replayed in between is kept besides its event, which does no harm.
    known = broker.last(letters)
    for content in broker.messages(letters, 0, known):
        writer.add(streams.LETTERS, content)
    copy = work / _RECORDS
    copy.parent.mkdir(mode=0o700)
    copy_changed(var / _RECORDS, copy)
    with frozen(group) as pause:
        copy_changed(var / _RECORDS, copy)
        after, upto = broker.missing_after()
        # BSON keeps milliseconds.
        moment = datetime.now(UTC).replace(microsecond=0)
        newest = list(broker.messages(letters, known, broker.last(letters)))
    for content in newest:
        writer.add(streams.LETTERS, content)
    return Cut(moment, pause.seconds, after, upto)


def _realm(var: Path, work: Path, group: int, cut: Cut, writer: Writer) -> tuple[dict[str, int], float]:
    time.sleep(max(0.0, realm.SETTLE - (datetime.now(UTC) - cut.time).total_seconds()))
    pause = realm.copy(var, group, work / realm.FILE)
    _files(writer, "files/realm", work, [str(realm.FILE)])
    return realm.counts(work / realm.FILE), pause.seconds


def _files(writer: Writer, section: str, base: Path, paths: list[str]) -> None:
    writer.section(section)
    for path in paths:
        for content in folders.parts(base, path):
            writer.add(section, content)


def _begin() -> Facts:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    return {
        "tongban": project["version"],
        "nats": versions.NATS,
        "keycloak": versions.KEYCLOAK,
        "mongo": versions.MONGO,
    }


def _room(var: Path, to: Path) -> None:
    """Refuse before anything is begun when a copy of the records will not fit."""
    size = (var / _RECORDS).stat().st_size
    for folder in (var, to):
        if shutil.disk_usage(folder).free < size + _RESERVE:
            raise Refusal(f"{folder} needs {(size + _RESERVE) >> 20} MB of room for a backup; make some.")


def _without_records(databases: list[str]) -> list[str]:
    """Units of deploy/units.toml with a gRPC server or the gateway that have no database yet."""
    keepers = [unit.name for unit in units.load(ROOT) if unit.grpc or unit.name == "gateway"]
    return [name for name in keepers if records.PREFIX + name not in databases]
