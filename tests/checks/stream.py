"""The platform's stream from a test's side: read it, publish into it again, wait until everybody has taken everything in."""

from __future__ import annotations

import contextlib
import hashlib
import json
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pymongo
from nats.errors import TimeoutError as NothingThere
from nats.js.api import ConsumerConfig, DeliverPolicy

from chassis.bus_thread import BusThread
from chassis.files import FILES, PIECES
from chassis.intents import PENDING
from chassis.outbox import envelope
from chassis.settings import Settings
from chassis.streams import STREAM
from portal.identity_events import CURSOR as IDENTITY_EVENTS


@dataclass(frozen=True)
class Told:
    """One message as it lies in the stream."""

    sequence: int
    subject: str
    data: bytes
    headers: dict[str, str]


class Stream:
    """A connection of the test's own."""

    def __init__(self, settings: Settings) -> None:
        self.bus = BusThread(settings).start()
        assert self.bus.connected.wait(20)

    def everything(self) -> list[Told]:
        """Every message, in order."""
        return self.bus.run(self._everything(), 60)

    async def _everything(self) -> list[Told]:
        js, found = self.bus.bus.js, []
        config = ConsumerConfig(deliver_policy=DeliverPolicy.ALL, inactive_threshold=30)
        subscription = await js.pull_subscribe("", stream=STREAM, config=config)
        last = (await js.stream_info(STREAM)).state.last_seq
        end = time.monotonic() + 40
        while last and (not found or found[-1].sequence < last):
            assert time.monotonic() < end, f"read {len(found)} messages and not the last one, {last}"
            with contextlib.suppress(NothingThere):
                for one in await subscription.fetch(500, timeout=2):
                    sequence = one.metadata.sequence.stream
                    found.append(Told(sequence, one.subject, one.data, dict(one.headers or {})))
                    await one.ack()
        await subscription.unsubscribe()
        return found

    def again(self, messages: list[Told]) -> None:
        """Publish these once more under their own event ids, past the stream's own recognition of duplicates."""

        async def publish() -> None:
            for start in range(0, len(messages), 200):
                for one in messages[start : start + 200]:
                    headers = {
                        name: value for name, value in one.headers.items() if not name.startswith("Nats-")
                    }
                    headers["Nats-Msg-Id"] = uuid.uuid4().hex
                    await self.bus.bus.js.publish(one.subject, one.data, headers=headers)

        self.bus.run(publish(), 120)

    def tell(self, source: str, message: Any, **headers: str) -> str:
        """Publish an event as the service `source` would; returns its id."""
        event = envelope(source, message)
        self.bus.publish(event["subject"], event["data"], {**event["headers"], **headers}, event["id"])
        return event["id"]

    def settled(self, services: list[str], seconds: float = 60.0) -> None:
        """Return when no consumer of these services has anything left, and nothing new has come for a second."""
        end, quiet, before = time.monotonic() + seconds, 0.0, -1
        while quiet < 1.0:
            assert time.monotonic() < end, (
                f"not settled within {seconds} s: {self.bus.run(self._left(services), 10)}"
            )
            left, last = self.bus.run(self._left(services), 10)
            quiet = quiet + 0.1 if not left and last == before else 0.0
            before = last
            time.sleep(0.1)

    def behind(self, services: list[str]) -> dict[str, int]:
        """The consumers of these services that have something left, and how much."""
        return self.bus.run(self._left(services), 10)[0]

    def consumers(self) -> list[Any]:
        """What the broker knows of every consumer."""
        return self.bus.run(self.bus.bus.js.consumers_info(STREAM), 10)

    async def _left(self, services: list[str]) -> tuple[dict[str, int], int]:
        js = self.bus.bus.js
        left = {}
        for info in await js.consumers_info(STREAM):
            if info.name.partition("-")[0] in services and (info.num_pending or info.num_ack_pending):
                left[info.name] = info.num_pending + info.num_ack_pending
        return left, (await js.stream_info(STREAM)).state.last_seq

    def close(self) -> None:
        self.bus.close()


class State:
    """What lies in the services' databases."""

    # How often a record was written, and which requests it remembers, is not what it says. Files are found by their content.
    NOT_SAID = ("revision", "applied", "outbox")
    # Keycloak's own events are read on meanwhile, whatever the stream brings.
    PASSING = (PENDING, FILES, PIECES, IDENTITY_EVENTS)

    def __init__(self, uri: str, services: list[str]) -> None:
        self._client: pymongo.MongoClient = pymongo.MongoClient(uri, tz_aware=True)
        self._services = services

    def records(self) -> Iterator[tuple[str, Any]]:
        """(service/collection/id, content) of every record."""
        for service in self._services:
            database = self._client[f"tongban_{service}"]
            for name in sorted(set(database.list_collection_names()) - set(self.PASSING)):
                if name.startswith("system."):
                    continue
                for record in database[name].find({}):
                    said = {key: value for key, value in record.items() if key not in self.NOT_SAID}
                    yield f"{service}/{name}/{record['_id']}", said

    def hashes(self) -> dict[str, str]:
        """Name of a record → hash of what it says."""
        return {
            name: hashlib.sha256(json.dumps(said, sort_keys=True, default=str).encode()).hexdigest()
            for name, said in self.records()
        }

    def unsent(self) -> int:
        """Events that lie in outboxes, and intents."""
        count = 0
        for service in self._services:
            database = self._client[f"tongban_{service}"]
            count += database["pending"].count_documents({})
            for name in database.list_collection_names():
                with contextlib.suppress(pymongo.errors.PyMongoError):
                    count += sum(
                        len(record.get("outbox") or ()) for record in database[name].find({}, {"outbox": 1})
                    )
        return count

    def close(self) -> None:
        self._client.close()
