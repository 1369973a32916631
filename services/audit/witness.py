"""The witness: signed checkpoints in places other than the chain's own folder, so that an older copy of the chain is found out.

One is a bucket of the broker's, which only this service may write; the other, where TONGBAN_AUDIT_WITNESS names one, a folder that
should lie on another machine or be one that can only be appended to.
"""

from __future__ import annotations

import asyncio
import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from nats.js.errors import NotFoundError

from chassis import log
from chassis.bus import Bus
from chassis.durable import append_line
from chassis.settings import text
from services.audit.model.chain import Checkpoint, canonical, read
from services.audit.repository import CHECKPOINTS, Chain, checkpoints_of

BUCKET, LAST = "audit_checkpoints", "last"
_log = log.get(__name__)


def folder() -> Path | None:
    """The second place, if there is one."""
    given = text("AUDIT_WITNESS")
    return Path(given) if given else None


async def put(bus: Bus, chain: Chain, made: Checkpoint) -> None:
    """Hand a checkpoint to the witness. What the bucket knew and this chain does not fit stays there under a key of its own."""
    bucket = await bus.bucket(BUCKET)
    for known in await in_bucket(bus, only=LAST):
        if not await asyncio.to_thread(fits, chain, known):
            await bucket.put(f"conflict.{known.number}.{known.sum[:12]}", canonical(asdict(known)))
            _log.error("the witness knows another chain", known=known.number, chain=made.number)
    await bucket.put(LAST, canonical(asdict(made)))
    second = folder()
    if second is not None:
        second.mkdir(mode=0o700, parents=True, exist_ok=True)
        path = second / CHECKPOINTS
        known_there = checkpoints_of(path.read_bytes())[-1:] if path.is_file() else []
        if not known_there or known_there[0].number != made.number:
            append_line(path, canonical(asdict(made)))


async def in_bucket(bus: Bus, only: str = "") -> list[Checkpoint]:
    """What the bucket knows; nothing while there is none, which only the writer may make."""
    try:
        bucket = await bus.js.key_value(BUCKET)
    except NotFoundError:
        return []
    found: list[Checkpoint] = []
    for key in [only] if only else await bus.keys(BUCKET):
        value = await _value(bucket, key)
        if value:
            found += _checkpoint(value)
    return found


def in_folder() -> list[Checkpoint]:
    """What the second place knows."""
    second = folder()
    path = second / CHECKPOINTS if second else None
    return checkpoints_of(path.read_bytes()) if path and path.is_file() else []


def fits(chain: Chain, known: Checkpoint) -> bool:
    """Whether this chain has that line; what was removed as too old is not asked for."""
    if known.number < chain.begin()[0]:
        return True
    raw = chain.line(known.number)
    return raw is not None and read(raw).sum == known.sum


def _checkpoint(value: bytes) -> list[Checkpoint]:
    try:
        return [Checkpoint(**json.loads(value))]
    except (ValueError, TypeError):
        return [Checkpoint(0, "", "", "")]


async def _value(bucket: Any, key: str) -> bytes:
    try:
        return bytes((await bucket.get(key)).value or b"")
    except NotFoundError:
        return b""
