"""The relay: what follows a save. Indexes the aggregate, publishes its outbox, clears the intent.

Runs in the `work` process. It is woken by a core message that names the intent; every second it also reads the small collection of
intents, which covers lost wake-ups, a broker that was away and a process that died between save and publish.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any

from chassis import log
from chassis.bus import Bus
from chassis.errors import TongbanError
from chassis.repository import PENDING, Repository
from chassis.store import Record, Store

_log = log.get(__name__)
YOUNG = 60.0  # seconds for which an intent without effect may still belong to a save under way
POLL = 1.0


def wake_subject(service: str) -> str:
    """The core subject on which a service's relay is woken."""
    return f"tongban.wake.{service}"


class Relay:
    """Carries out the intents of one service.

    project(repository name, record) puts the aggregate into the search index and returns once readers can see it.
    """

    def __init__(
        self, service: str, store: Store, bus: Bus, repositories: dict[str, Repository[Any]],
        project: Callable[[str, list[Record]], None],
    ) -> None:  # fmt: skip
        self._service = service
        self._pending = store.collection(PENDING)
        self._bus = bus
        self._repositories = repositories
        self._project = project
        self._woken: asyncio.Queue[str] = asyncio.Queue(10_000)
        self.lag = 0

    async def run(self) -> None:
        """Work for ever."""
        await self._bus.nc.subscribe(wake_subject(self._service), cb=self._on_wake)
        last = 0.0
        while True:
            intents: set[str] = set()
            try:
                intents.add(await asyncio.wait_for(self._woken.get(), POLL))
                while not self._woken.empty() and len(intents) < 200:
                    intents.add(self._woken.get_nowait())
            except TimeoutError:
                pass
            try:
                if time.monotonic() - last >= POLL:
                    intents |= await asyncio.to_thread(self._all)
                    last = time.monotonic()
                if intents:
                    await self._carry_out(intents)
            except TongbanError as problem:
                _log.warning("relay waits", problem=str(problem))
                await asyncio.sleep(POLL)

    async def _on_wake(self, message: Any) -> None:
        intent = message.data.decode()
        if not self._woken.full():
            self._woken.put_nowait(intent)

    def _all(self) -> set[str]:
        found = {record["_id"] for record in self._pending.scan()}
        self.lag = len(found)
        return found

    async def _carry_out(self, intents: set[str]) -> None:
        aggregates: dict[tuple[str, str], list[str]] = {}
        for intent in intents:
            kind, _, rest = intent.partition("/")
            key, _, _ = rest.rpartition("/")
            aggregates.setdefault((kind, key), []).append(intent)
        by_kind: dict[str, list[str]] = {}
        for kind, key in aggregates:
            by_kind.setdefault(kind, []).append(key)
        for kind, keys in by_kind.items():
            repository = self._repositories[kind]
            records = await asyncio.to_thread(repository.collection.get_many, keys)
            if records:
                await asyncio.to_thread(self._project, kind, list(records.values()))
            # One aggregate's events leave in their order; different aggregates leave side by side.
            await asyncio.gather(
                *(self._one(kind, key, records.get(key), aggregates[kind, key]) for key in keys)
            )

    async def _one(self, kind: str, key: str, record: Record | None, intents: list[str]) -> None:
        events = (record or {}).get("outbox") or []
        try:
            for event in events:
                await self._bus.publish(event["subject"], bytes(event["data"]), event["headers"], event["id"])
        except Exception as problem:  # noqa: BLE001 - whatever the broker says, the intent stays and is tried again
            _log.warning("publish failed", aggregate=key, problem=str(problem) or type(problem).__name__)
            return
        if events:
            collection = self._repositories[kind].collection
            await asyncio.to_thread(collection.published, key, [event["id"] for event in events])
        await asyncio.to_thread(self._clear, intents, (record or {}).get("revision", 0))

    def _clear(self, intents: list[str], revision: int) -> None:
        over = [intent for intent in intents if target(intent) <= revision]
        # The others' saves may still be on their way, whatever else was published: they are kept until they are surely over.
        known = self._pending.get_many(set(intents) - set(over))
        over += [intent for intent, record in known.items() if time.time() - record["at"] > YOUNG]
        for intent in over:
            self._pending.remove(intent)


def target(intent: str) -> int:
    """The revision that the save behind an intent gives its aggregate."""
    return int(intent.rpartition("/")[2].partition(".")[0])
