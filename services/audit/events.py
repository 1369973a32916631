"""The audit's stream: who makes it, and how `work` takes it into the chain, in its order, for ever.

The place up to which the stream was taken stands in the chain's own lines, on the disk with them: no acknowledgement to the broker
could ever say something else.
"""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import replace
from functools import partial
from typing import Any
from urllib.parse import quote, urlsplit

from nats.errors import Error as NatsError
from nats.js.api import (
    AckPolicy,
    ConsumerConfig,
    DeliverPolicy,
    DiscardPolicy,
    RetentionPolicy,
    StorageType,
    StreamConfig,
)
from nats.js.errors import APIError

from chassis import log, loops
from chassis.bus import Bus
from chassis.loops import end_all
from chassis.settings import Settings, number
from chassis.streams import AUDIT
from services.audit import witness
from services.audit.keeper import Keeper
from services.audit.registry import Indexer
from services.audit.repository import Chain

USER = "audit"
SECRET = "nats-audit-password"  # noqa: S105 - the name of a file
SUBJECTS = "audit.v1.>"
_DUPLICATES = 2 * 3600
BATCH, IDLE = 64, 2.0
NOTE_SECONDS = 10.0
PAUSE = 1.0
_log = log.get(__name__)


def own(settings: Settings) -> Settings:
    """The settings with which this service alone reaches the broker: as the user who may make and read the audit's stream."""
    password, parts = settings.optional_secret(SECRET), urlsplit(settings.nats_url)
    if not password or not parts.username:
        return settings
    address = f"{USER}:{quote(password, safe='')}@{parts.netloc.rpartition('@')[2]}"
    return replace(settings, nats_url=parts._replace(netloc=address).geturl())


def stream_config() -> StreamConfig:
    """The stream. What is in it nobody takes out before its time, not even its owner."""
    return StreamConfig(
        name=AUDIT, subjects=[SUBJECTS], retention=RetentionPolicy.LIMITS, discard=DiscardPolicy.NEW, storage=StorageType.FILE,
        num_replicas=int(number("NATS_REPLICAS", 1)), duplicate_window=_DUPLICATES, deny_delete=True, deny_purge=True,
        max_age=number("STREAM_DAYS", 30) * 86400, max_bytes=int(number("AUDIT_STREAM_BYTES", 4 << 30)),
    )  # fmt: skip


async def make_stream(bus: Bus) -> str:
    """Make the stream when it is not there; returns when it was made, by which one stream is told from another."""
    config = stream_config()
    try:
        await bus.js.add_stream(config)
    except APIError:
        # It exists with other limits; deny_delete and deny_purge are for ever.
        await bus.js.update_stream(config)
    return str((await bus.js.stream_info(AUDIT)).created)


class Taking:
    """The jobs of `work`."""

    def __init__(self, settings: Settings, keeper: Keeper, chain: Chain, indexer: Indexer) -> None:
        self._bus = Bus(own(settings))
        self._keeper = keeper
        self._chain = chain
        self._indexer = indexer
        self.bound = asyncio.Event()

    async def run(self) -> None:
        """Take the stream for ever, whatever happens to the broker and to the disk."""
        await self._bus.connect()
        every = number("AUDIT_CHECKPOINT_SECONDS", 60)
        note = partial(asyncio.to_thread, self._keeper.note)
        timers = [
            asyncio.create_task(
                loops.for_ever(self.checkpoint, every, PAUSE, trouble="no checkpoint", outages=(NatsError,))
            ),
            asyncio.create_task(
                loops.for_ever(note, NOTE_SECONDS, PAUSE, trouble="the chain's state not noted")
            ),
        ]
        try:
            while True:
                try:
                    await self._follow()
                except (NatsError, OSError, TimeoutError) as problem:
                    _log.warning("audit waits", problem=str(problem) or type(problem).__name__)
                    await asyncio.sleep(PAUSE)
        finally:
            await end_all(timers)
            with contextlib.suppress(Exception):
                await self._bus.close()

    async def _follow(self) -> None:
        created = await make_stream(self._bus)
        after = self._keeper.begin_stream(created)
        config = ConsumerConfig(
            ack_policy=AckPolicy.NONE, deliver_policy=DeliverPolicy.BY_START_SEQUENCE, opt_start_seq=after + 1,
            inactive_threshold=60, max_deliver=1,
        )  # fmt: skip
        info = await self._bus.js.add_consumer(AUDIT, config)
        subscription = await self._bus.js.pull_subscribe_bind(consumer=info.name, stream=AUDIT)
        self.bound.set()
        expected = after
        try:
            while True:
                try:
                    messages = await subscription.fetch(BATCH, timeout=IDLE)
                except TimeoutError:
                    await subscription.consumer_info()  # raises where a restarted broker has forgotten us
                    continue
                batch = [(one.metadata.sequence.stream, one.data) for one in messages]
                expected = _in_order(expected, batch)
                kept = await asyncio.to_thread(self._keeper.take, batch)
                await asyncio.to_thread(self._indexer.put, kept)
        finally:
            with contextlib.suppress(Exception):
                await subscription.unsubscribe()

    async def checkpoint(self) -> None:
        """Sign what the chain holds now, here and at the witness."""
        made: Any = await asyncio.to_thread(self._keeper.checkpoint)
        if made is not None:
            await witness.put(self._bus, self._chain, made)


def _in_order(last: int, batch: list[tuple[int, bytes]]) -> int:
    """The position of the last of these, which must follow `last` and each other.

    Raises OSError, upon which the stream is read again from where the chain ends.
    """
    for position, _ in batch:
        if position <= last:
            raise OSError("the stream was not delivered in its order")
        last = position
    return last
