"""Finds out everything at once; whatever does not answer is left unknown, and holds nothing else up."""

from __future__ import annotations

import json
import shutil
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from cryptography import x509

from chassis import log
from chassis.errors import Unavailable
from chassis.parts import Parts
from chassis.settings import text
from chassis.streams import STREAM
from portal.system import engines, processes
from portal.system.facts import Backup, Broker, Consumer, Engine, Facts

SECONDS = 4.0
_log = log.get(__name__)


def read(parts: Parts) -> Facts:
    """The facts of this moment."""
    var = parts.settings.var
    with ThreadPoolExecutor(5) as pool:
        asked = pool.submit(processes.ask_all, var)
        database, identity = pool.submit(engines.database, parts), pool.submit(engines.identity)
        edge, broker = pool.submit(engines.edge), pool.submit(lambda: _with_oldest(parts, engines.broker()))
    told, found = processes.report(var), broker.result()
    nats = Engine(
        "nats",
        up=None if not text("NATS_MONITOR") else found is not None,
        version=found.version if found else "",
    )
    states = [
        replace(one, state=told.get(one.engine, {}).get("state", ""))
        for one in (database.result(), nats, identity.result(), edge.result())
    ]
    free, size = disk(var)
    return Facts(
        time=datetime.now(UTC), processes=asked.result(), engines=tuple(states), broker=found, disk_free=free, disk_size=size,
        backup=backup(var), certificate_ends=certificate_ends(),
        unit_names={one["labels"]["unit"]: one["labels"].get("__title", "") for one in processes.targets()},
    )  # fmt: skip


def disk(var: Path) -> tuple[int | None, int]:
    """Free and all bytes of the disk on which the deployment's folder lies."""
    try:
        usage = shutil.disk_usage(var)
    except OSError as problem:
        _log.warning("disk unknown", problem=str(problem))
        return None, 0
    return usage.free, usage.total


def backup(var: Path) -> Backup | None:
    """What deploy/backup has noted of its last success; None when it has not, or the note cannot be read."""
    try:
        note = json.loads((var / "backup.json").read_text())
        places = tuple(one for one in (note["archive"], note["also"]) if one)
        return Backup(
            time=datetime.fromisoformat(note["cut"]), size=note["bytes"],
            verified=datetime.fromisoformat(note["verified"]) if "verified" in note else None,
            places=places, lost=tuple(one for one in places if not Path(one).is_file()),
        )  # fmt: skip
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError) as problem:
        _log.warning("backup's note unreadable", problem=str(problem))
        return None


def certificate_ends() -> datetime | None:
    """When the edge's certificate ends."""
    try:
        return x509.load_pem_x509_certificate(
            (Path(text("TLS")) / "server.crt").read_bytes()
        ).not_valid_after_utc
    except (OSError, ValueError) as problem:
        _log.warning("certificate unreadable", problem=str(problem))
        return None


def _with_oldest(parts: Parts, found: Broker | None) -> Broker | None:
    if found is None:
        return None
    return replace(
        found, consumers=tuple(replace(one, oldest=_oldest(parts, one)) for one in found.consumers)
    )


def _oldest(parts: Parts, consumer: Consumer) -> datetime | None:
    """When the oldest event that waits for this consumer happened; None when none waits or nobody can say."""
    if not consumer.waiting:
        return None

    async def first(subject: str) -> Any:
        return await parts.bus.bus.js.get_msg(STREAM, consumer.done + 1, subject=subject, next=True)

    times: list[datetime] = []
    for subject in consumer.subjects:
        try:
            times.append(datetime.fromisoformat(parts.bus.run(first(subject), SECONDS).headers["ce-time"]))
        except (Unavailable, KeyError, TypeError, ValueError) as problem:
            # Most often there is none of this kind.
            _log.info(
                "no event after", consumer=consumer.durable, subject=subject, problem=type(problem).__name__
            )
    return min(times, default=None)
