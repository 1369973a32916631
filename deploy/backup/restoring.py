"""Restoring an archive into a place of its own, from which `make run` then starts.

The whole archive is verified before anything is written. Work is done in a folder beside the place, which gets the place's name at
the end: a restore that was interrupted leaves nothing that could be taken for a whole one.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from deploy.backup import folders, key, realm, records, streams
from deploy.backup.archive import Facts, Reader, facts_of
from deploy.backup.merkle import Tally
from deploy.local.deployment import Deployment
from deploy.local.ports import free_block
from deploy.local.say import Clock, Refusal
from deploy.local.settings import Settings

_READY_SECONDS = 120.0
_MESSAGES = 256


def restore(archive: Path, var: Path, say: Callable[[str], None]) -> Facts:
    """Restore `archive` into `var`, which must not exist or be empty; returns the manifest.

    Refuses a damaged archive, a wrong key, a place that is taken, and a result that is not what the archive says.
    """
    if var.exists() and (not var.is_dir() or any(var.iterdir())):
        raise Refusal(f"{var} is not empty; name a place that is (VAR=…), and move it when you are content.")
    secret, clock = key.read(key.path()), Clock()
    manifest = Reader(archive, secret).verify()
    say("the archive is whole: every byte was checked")
    work = var.with_name(f".{var.name}.restoring")
    if work.exists():
        raise Refusal(f"{work} is left of a restore that was interrupted; remove it and start again.")
    work.mkdir(mode=0o700, parents=True)
    try:
        _fill(Reader(archive, secret), work, manifest, say)
        _sync(work)
        if var.exists():
            var.rmdir()
        work.rename(var)
    finally:
        shutil.rmtree(work, ignore_errors=True)
    lost = datetime.now(UTC) - manifest["cut"]
    say(
        f"restored into {var}; counts and Merkle roots of {len(manifest['sections'])} sections are the archive's"
    )
    say(f"RTO {clock.seconds:.0f} s so far (verified and restored; the start of the platform comes on top)")
    say(
        f"RPO {str(lost).split('.', maxsplit=1)[0]} (what was done since {manifest['cut']:%Y-%m-%d %H:%M:%S} UTC is not in it)"
    )
    return manifest


def _fill(reader: Reader, work: Path, manifest: Facts, say: Callable[[str], None]) -> None:
    # Files first, for the engines take their passwords from there; the archive has them last.
    for section, content in reader.entries():
        if section.startswith("files/"):
            folders.write(work, content)
    # Compared before an engine starts, whose launcher may renew a certificate.
    _compare_files(work, manifest)
    with free_block() as base:
        # The demonstration's key is removed from a deployment that is none.
        settings = Settings(var=work, base_port=base, demo=(work / "secrets" / "demo-key").is_file())
        with Deployment(
            settings, lambda _line: None, which=("mongo", "nats"), with_applications=False
        ) as engines:
            if not engines.supervisor.wait_ready(_READY_SECONDS):
                raise Refusal(f"The engines do not start in {work}; see {settings.logs}.")
            database = records.client(engines.env["TONGBAN_MONGO_URI"])
            with database, streams.Broker(engines.env["TONGBAN_NATS_URL"]) as broker:
                _load(reader, database, broker, manifest)
                say("records and events are loaded; comparing")
                _compare(database, broker, manifest)
    # Where this machine listened and what it logged meanwhile is nobody's concern.
    shutil.rmtree(work / "logs", ignore_errors=True)


def _load(reader: Reader, database: Any, broker: streams.Broker, manifest: Facts) -> None:
    for section, indexes in manifest["indexes"].items():
        source = records.collection(database, section)
        source.database.create_collection(source.name)
        records.make_indexes(source, indexes)
    inserting, waiting, of = records.Inserting(database), list[bytes](), ""

    def send() -> None:
        if waiting:
            broker.load(of, waiting)
            waiting.clear()

    for section, content in reader.entries():
        if section != of or len(waiting) >= _MESSAGES:
            send()
            of = section
        if section.startswith(records.SECTION):
            inserting.add(section, content)
        elif not section.startswith("files/"):
            waiting.append(content)
    send()
    inserting.flush()


def _compare_files(work: Path, manifest: Facts) -> None:
    """Refuses where files or the realm are not what the manifest says."""
    paths = {**folders.files(work), "files/realm": [str(realm.FILE)]}
    _refuse_difference({section: folders.tally(work, paths[section]) for section in paths}, manifest)
    if realm.counts(work / realm.FILE) != manifest["realm"]:
        raise Refusal("Keycloak's restored database has other people than the archive says.")


def _compare(database: Any, broker: streams.Broker, manifest: Facts) -> None:
    """Reads records and messages back; refuses where they are not what the manifest says."""
    sections = [section for section in manifest["sections"] if not section.startswith("files/")]
    of_records = [section for section in sections if section.startswith(records.SECTION)]
    found = {section: records.tally(records.collection(database, section)) for section in of_records}
    found |= {section: broker.tally(section) for section in sections if section not in found}
    _refuse_difference(found, manifest)


def _refuse_difference(found: dict[str, Tally], manifest: Facts) -> None:
    wrong = [
        section for section, facts in facts_of(found).items() if facts != manifest["sections"].get(section)
    ]
    if wrong:
        raise Refusal(f"After the restore these differ from the archive: {', '.join(wrong)}.")


def _sync(folder: Path) -> None:
    """Force what was written to the disk."""
    for path in (*folder.rglob("*"), folder):
        if path.is_symlink() or not (path.is_file() or path.is_dir()):
            continue
        handle = os.open(path, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
