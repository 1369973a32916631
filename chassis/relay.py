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
        self._announced: set[str] = set()
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
        # The writer wakes after its save, so an announced intent is known to be settled.
        intent = message.data.decode()
        if not self._woken.full():
            self._announced.add(intent)
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
            await asyncio.gather(*(self._one(kind, key, records.get(key), aggregates[kind, key]) for key in keys))

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
        await asyncio.to_thread(self._clear, intents, bool(events))

    def _clear(self, intents: list[str], had_effect: bool) -> None:
        known = {} if had_effect else self._pending.get_many(intents)
        for intent in intents:
            # Without an event in sight the save may still be on its way: its intent is kept until it is surely over.
            at = known.get(intent, {}).get("at", 0.0)
            if had_effect or time.time() - at > YOUNG or self._settled(intent):
                self._pending.remove(intent)
                self._announced.discard(intent)

    def _settled(self, intent: str) -> bool:
        """Whether the change behind this intent is known to be saved: it was announced by its writer after the save."""
        return intent in self._announced
