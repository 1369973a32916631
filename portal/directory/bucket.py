"""The key-value bucket `directory`, out of which every process knows units and people.

The portal is its only writer.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Any

from nats.js.errors import KeyNotFoundError
from tongban.portal.v1.directory_pb2 import Person, Unit

from chassis.bus import Bus
from chassis.directory import BUCKET

_AT_ONCE = 64


async def write(bus: Bus, units: Iterable[Unit], people: Iterable[Person]) -> None:
    """Puts these units and people in; returns once all are durable."""
    bucket = await bus.bucket(BUCKET)
    entries = [(f"unit.{unit.unit}", unit.SerializeToString(deterministic=True)) for unit in units]
    entries += [(f"person.{person.person}", _public(person)) for person in people]
    for start in range(0, len(entries), _AT_ONCE):
        await asyncio.gather(*(bucket.put(key, value) for key, value in entries[start : start + _AT_ONCE]))


async def reconcile(bus: Bus, units: Iterable[Unit], people: Iterable[Person]) -> int:
    """Makes the bucket equal to Keycloak; returns how many entries were wrong.

    A unit that is gone is deleted. A person who is gone stays with the mark `disabled`, so that old records
    keep their names.
    """
    bucket = await bus.bucket(BUCKET)
    held = await _held(bus, bucket)
    wanted = {f"unit.{unit.unit}": unit.SerializeToString(deterministic=True) for unit in units}
    wanted |= {f"person.{person.person}": _public(person) for person in people}
    for key, value in held.items():
        if key.startswith("person.") and key not in wanted:
            gone = Person.FromString(value)
            gone.disabled = True
            del gone.posts[:], gone.roles[:]
            wanted[key] = gone.SerializeToString(deterministic=True)
    wrong = [key for key, value in wanted.items() if held.get(key) != value]
    for start in range(0, len(wrong), _AT_ONCE):
        await asyncio.gather(*(bucket.put(key, wanted[key]) for key in wrong[start : start + _AT_ONCE]))
    surplus = [key for key in held if key.startswith("unit.") and key not in wanted]
    for key in surplus:
        await bucket.delete(key)
    return len(wrong) + len(surplus)


async def _held(bus: Bus, bucket: Any) -> dict[str, bytes]:
    held: dict[str, bytes] = {}
    for key in await bus.keys(BUCKET):
        try:
            held[key] = (await bucket.get(key)).value
        except KeyNotFoundError:
            continue  # Deleted, hence not held.
    return held


def _public(person: Person) -> bytes:
    """A person without what nobody may read."""
    copy = Person()
    copy.CopyFrom(person)
    copy.ClearField("initial_password")
    return copy.SerializeToString(deterministic=True)
