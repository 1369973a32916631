"""Sweeps the gateway's records as long as the process runs."""

from __future__ import annotations

import asyncio
import random

from chassis import log, loops
from gateway.parts import GatewayParts

HOUR = 3600.0
_log = log.get(__name__)


async def sweep_for_ever(parts: GatewayParts) -> None:
    """Sweep about once an hour. Several processes may do so at the same time: removing twice does no harm."""

    async def one() -> None:
        _log.info("swept", records=await asyncio.to_thread(sweep, parts))

    every = HOUR * random.uniform(0.8, 1.2)  # noqa: S311 - only to keep processes apart
    await asyncio.sleep(every)
    await loops.for_ever(one, every, every / 60, trouble="sweep failed")


def sweep(parts: GatewayParts) -> int:
    """Remove all that is past its time; returns how many records went."""
    return parts.sessions.sweep() + parts.entries.sweep() + parts.once.sweep()
