"""The outboxes of several aggregates on their way into the stream: in batches, each stored whole or not at all.

An acknowledgement costs the broker one sync of its disk, for one event or for a hundred. What a batch could not bring in, because an
event of it is in the stream already, say, goes one by one: there the broker recognises a duplicate and says that it has it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import groupby

from nats.errors import Error as NatsError

from chassis import log
from chassis.bus import Bus
from chassis.store import Record

BATCH = 100  # events of one batch
BATCH_BYTES = 1 << 20
_log = log.get(__name__)
Waiting = tuple[str, Record]  # an aggregate's key and one event of its outbox


class BrokerAway(Exception):
    """There is nobody to publish to; not worth waiting for a timeout."""


@dataclass
class Outcome:
    """What became of it, by aggregate: ids of the events that the stream has, and why the rest stays behind."""

    sent: dict[str, list[str]] = field(default_factory=dict)
    refused: dict[str, Exception] = field(default_factory=dict)


async def publish(bus: Bus, outboxes: dict[str, list[Record]]) -> Outcome:
    """Publish them. The events of one aggregate keep their order: after one that is refused, none of its later ones goes."""
    outcome = Outcome()
    for batch in _batches(outboxes):
        going = [(key, event) for key, event in batch if key not in outcome.refused]
        if len(going) > 1 and await _together(bus, [event for _, event in going]):
            for key, event in going:
                outcome.sent.setdefault(key, []).append(event["id"])
            continue
        rows = [(key, [event for _, event in row]) for key, row in groupby(going, lambda one: one[0])]
        await asyncio.gather(*(_in_a_row(bus, key, row, outcome) for key, row in rows))
    return outcome


def _batches(outboxes: dict[str, list[Record]]) -> Iterator[list[Waiting]]:
    batch: list[Waiting] = []
    size = 0
    for key, events in outboxes.items():
        for event in events:
            if batch and (len(batch) == BATCH or size + len(event["data"]) > BATCH_BYTES):
                yield batch
                batch, size = [], 0
            batch.append((key, event))
            size += len(event["data"])
    if batch:
        yield batch


async def _together(bus: Bus, events: list[Record]) -> bool:
    """Whether the stream has taken the whole batch; if not, it has taken nothing, or has it and has not said so."""
    if not bus.up:
        return False
    try:
        await bus.publish_batch(events)
    except (NatsError, TimeoutError, OSError) as problem:
        _log.info("batch goes one by one", events=len(events), problem=str(problem) or type(problem).__name__)
        return False
    return True


async def _in_a_row(bus: Bus, key: str, events: list[Record], outcome: Outcome) -> None:
    for event in events:
        if not bus.up:
            outcome.refused[key] = BrokerAway()
            return
        try:
            await bus.publish(event["subject"], bytes(event["data"]), event["headers"], event["id"])
        except Exception as problem:  # noqa: BLE001 - whatever the broker says, the event stays in its outbox
            outcome.refused[key] = problem
            return
        outcome.sent.setdefault(key, []).append(event["id"])
