"""Sweeps the gateway's records as long as the process runs."""

from __future__ import annotations

import asyncio
import random

from chassis import log
from chassis.errors import TongbanError
from gateway.parts import GatewayParts

HOUR = 3600.0
_log = log.get(__name__)


async def sweep_for_ever(parts: GatewayParts) -> None:
    """Sweep about once an hour. Several processes may do so at the same time: removing twice does no harm."""
    while True:
        await asyncio.sleep(HOUR * random.uniform(0.8, 1.2))  # noqa: S311 - only to keep processes apart
        try:
            gone = await asyncio.to_thread(sweep, parts)
        except TongbanError as problem:
            _log.warning("sweep failed", problem=str(problem))
        else:
            _log.info("swept", records=gone)


def sweep(parts: GatewayParts) -> int:
    """Remove all that is past its time; returns how many records went."""
    return parts.sessions.sweep() + parts.entries.sweep() + parts.once.sweep()
