"""Keeps the bucket `directory` equal to Keycloak, also when somebody changes Keycloak by its own console."""

from __future__ import annotations

import asyncio

from keycloak.exceptions import KeycloakError
from nats.errors import Error as NatsError
from tongban.portal.v1.directory_pb2 import Person, Unit

from chassis import log, loops
from chassis.bus import Bus
from chassis.parts import Parts
from portal.directory import bucket
from portal.directory.groups import read_groups
from portal.directory.users import read_people
from portal.keycloak import portal_admin

EVERY = 600.0
_log = log.get(__name__)


async def keep(parts: Parts) -> None:
    """Reconciles at start and every ten minutes, for ever; ten seconds after a failure again."""
    bus = Bus(parts.settings)
    await bus.connect()

    async def reconcile() -> None:
        units, people = await asyncio.to_thread(_read, parts)
        wrong = await bucket.reconcile(bus, units, people)
        _log.info("directory reconciled", units=len(units), people=len(people), corrected=wrong)

    await loops.for_ever(
        reconcile, EVERY, trouble="directory not reconciled", outages=(KeycloakError, NatsError)
    )


def _read(parts: Parts) -> tuple[list[Unit], list[Person]]:
    admin = portal_admin(parts.settings)
    units = [group.unit for group in read_groups(admin).values()]
    return units, list(read_people(admin).values())
