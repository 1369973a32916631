"""The relay: what follows a save. Indexes the aggregate, publishes its outbox, clears the intent.

Runs in the `work` process. It is woken by a core message that names the intent; every second it also reads the small collection of
intents, which covers lost wake-ups, a broker that was away and a process that died between save and publish.

An aggregate that cannot be indexed or published stands aside: its intent stays and is tried again, more and more seldom, while the
others go on.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from chassis import log, metrics, telemetry
from chassis.bus import Bus
from chassis.intents import PENDING, aggregate_of, target
from chassis.outbox import event_type
from chassis.publishing import publish
from chassis.repository import Repository
from chassis.store import Record, Store

_log = log.get(__name__)
YOUNG = 60.0  # seconds for which an intent without effect may still belong to a save under way
POLL = 1.0
BATCH = 200  # intents carried out at a time; those just announced go first
STALE = 30.0  # seconds after which what was read last is no answer any more
PAUSE, LONGEST = 0.5, 15.0  # seconds between two tries of what did not go


class Relay:
    """Carries out the intents of one service.

    project(repository name, records) puts aggregates into the search index and returns once readers can see them.
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
        # Threads of its own: handlers that wait for something must not hold the relay up.
        self._threads = ThreadPoolExecutor(8, thread_name_prefix="relay")
        self._tries: dict[
            str, tuple[int, float]
        ] = {}  # intent → times it did not go, and when it may be tried again
        self._shown: dict[
            tuple[str, str], int
        ] = {}  # aggregate with intents left → the revision that is in the index
        # Intent → when this process met it. Its age is not taken from the record: whoever wrote that may have had another clock.
        self._met: dict[str, float] = {}
        self._up = True
        self.lag = 0
        self._oldest = 0.0  # when the oldest waiting intent was written, as time.time()
        self._looked = 0.0  # when the intents were last read, as time.monotonic()
        metrics.watch(
            "tongban_outbox_waiting", "Saves of which others have not heard", lambda: self._known(self.lag)
        )
        metrics.watch(
            "tongban_outbox_oldest_seconds", "Age of the oldest of them", lambda: self._known(self._age())
        )

    async def run(self) -> None:
        """Work for ever."""
        await self._bus.nc.subscribe(wake_subject(self._service), cb=self._on_wake)
        waiting: list[str] = []
        last = 0.0
        while True:
            intents = await self._announced(0 if waiting else POLL)
            try:
                if not waiting and time.monotonic() - last >= POLL:
                    waiting = self._due(await self._thread(self._all))
                    last = time.monotonic()
                while waiting and len(intents) < BATCH:
                    intents.add(waiting.pop())
                if intents:
                    await self._carry_out(intents)
            except Exception as problem:  # noqa: BLE001 - the database, mostly; the intents stay, so nothing is lost by waiting
                _log.warning("relay waits", problem=str(problem) or type(problem).__name__)
                waiting = []
                await asyncio.sleep(POLL)

    async def _on_wake(self, message: Any) -> None:
        with contextlib.suppress(asyncio.QueueFull):
            self._woken.put_nowait(message.data.decode())

    async def _announced(self, seconds: float) -> set[str]:
        """The intents that writers have announced; waits so long for the first one."""
        intents: set[str] = set()
        if seconds and self._woken.empty():
            with contextlib.suppress(TimeoutError):
                intents.add(await asyncio.wait_for(self._woken.get(), seconds))
        while not self._woken.empty() and len(intents) < BATCH:
            intents.add(self._woken.get_nowait())
        return intents

    def _all(self) -> set[str]:
        found = {record["_id"]: record["at"] for record in self._pending.scan()}
        self.lag, self._oldest, self._looked = len(found), min(found.values(), default=0.0), time.monotonic()
        return set(found)

    def _age(self) -> float:
        return max(0.0, time.time() - self._oldest) if self._oldest else 0.0

    def _known(self, figure: float) -> float | None:
        """The figure, unless the database has not been read for so long that nobody knows."""
        return figure if time.monotonic() - self._looked < STALE else None

    def _due(self, found: set[str]) -> list[str]:
        """Those that are to be tried now."""
        up = self._bus.up
        if up and not self._up:
            # What waited for the broker need not wait any longer.
            self._tries.clear()
        self._up = up
        self._tries = {intent: tries for intent, tries in self._tries.items() if intent in found}
        concerned = {aggregate_of(intent) for intent in found}
        self._shown = {one: revision for one, revision in self._shown.items() if one in concerned}
        now = time.monotonic()
        self._met = {intent: self._met.get(intent, now) for intent in found}
        return [intent for intent in found if self._tries.get(intent, (0, 0.0))[1] <= now]

    async def _carry_out(self, intents: set[str]) -> None:
        by_kind: dict[str, dict[str, list[str]]] = {}
        for intent in intents:
            kind, key = aggregate_of(intent)
            by_kind.setdefault(kind, {}).setdefault(key, []).append(intent)
        for kind, aggregates in by_kind.items():
            if kind not in self._repositories:
                self._stand_aside([one for ones in aggregates.values() for one in ones])
                _log.error("intents of an unknown collection", collection=kind, aggregates=len(aggregates))
                continue
            records = await self._thread(self._repositories[kind].collection.get_many, aggregates)
            problems = await self._index(kind, records)
            problems |= await self._finish(kind, aggregates, records, set(problems))
            if problems:
                key, problem = next(iter(problems.items()))
                _log.warning(
                    "relay tries again",
                    collection=kind,
                    aggregates=len(problems),
                    aggregate=key,
                    problem=problem,
                )

    async def _index(self, kind: str, records: dict[str, Record]) -> dict[str, str]:
        """Take what is new into the index; returns what went wrong, by key. One bad record does not keep the others out."""
        fresh = {
            key: one for key, one in records.items() if self._shown.get((kind, key)) != one.get("revision", 0)
        }
        problems: dict[str, str] = {}
        try:
            if fresh:
                await self._thread(self._project, kind, list(fresh.values()))
        except Exception:  # noqa: BLE001 - which of them it was is found out now
            for key, record in fresh.items():
                try:
                    await self._thread(self._project, kind, [record])
                except Exception as problem:  # noqa: BLE001 - whatever it is, the others go on
                    problems[key] = f"not indexed: {type(problem).__name__}: {problem}"
        self._shown |= {
            (kind, key): one.get("revision", 0) for key, one in fresh.items() if key not in problems
        }
        return problems

    async def _finish(
        self, kind: str, aggregates: dict[str, list[str]], records: dict[str, Record], unindexed: set[str]
    ) -> dict[str, str]:
        """Publish the outboxes and clear the intents of those that are through; returns what went wrong, by key."""
        outboxes = {key: record["outbox"] for key, record in records.items() if record.get("outbox")}
        outcome = await publish(self._bus, outboxes)
        for key, sent in outcome.sent.items():
            for event in outboxes[key]:
                if event["id"] in sent:
                    _note(event)
        problems = {
            key: f"not published: {type(problem).__name__}: {problem}"
            for key, problem in outcome.refused.items()
        }
        intents = {
            intent: records.get(key, {}).get("revision", 0)
            for key, ones in aggregates.items()
            for intent in ones
            if key not in unindexed and key not in problems
        }
        left = {intent for ones in aggregates.values() for intent in ones} - set(intents)
        self._stand_aside(list(left))
        try:
            await self._thread(self._repositories[kind].collection.published, outcome.sent)
            kept = await self._thread(self._clear, intents)
        except Exception as problem:  # noqa: BLE001 - the intents stay and are tried again
            self._stand_aside(list(intents))
            return problems | dict.fromkeys(aggregates, f"not cleared: {problem}")
        self._stand_aside(kept)
        left.update(kept)
        for key, ones in aggregates.items():
            if not left.intersection(ones):
                self._shown.pop((kind, key), None)
        return problems

    def _clear(self, intents: dict[str, int]) -> list[str]:
        """Remove the intents whose saves are over, given their aggregates' revisions; returns the others."""
        over = {intent for intent, revision in intents.items() if target(intent) <= revision}
        # The others' saves may still be on their way, whatever else was published: they are kept until they are surely over.
        known, now = self._pending.get_many(set(intents) - over), time.monotonic()
        over |= {intent for intent in known if now - self._met.setdefault(intent, now) > YOUNG}
        self._pending.remove_many(over)
        return [intent for intent in known if intent not in over]

    def _stand_aside(self, intents: list[str]) -> None:
        for intent in intents:
            tries = self._tries.get(intent, (0, 0.0))[0]
            self._tries[intent] = tries + 1, time.monotonic() + min(PAUSE * 2 ** min(tries, 10), LONGEST)

    async def _thread(self, work: Callable[..., Any], *args: Any) -> Any:
        return await asyncio.get_running_loop().run_in_executor(self._threads, work, *args)


def wake_subject(service: str) -> str:
    """The core subject on which a service's relay is woken."""
    return f"tongban.wake.{service}"


def _note(event: Record) -> None:
    """Say and count that the stream has an event."""
    trace = telemetry.trace_of(event["headers"].get("traceparent", ""))
    _log.info("published", subject=event["subject"], event_id=event["id"], trace=trace)
    metrics.PUBLISHED.labels(event_type(event["subject"])).inc()
