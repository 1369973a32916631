"""Processes that die at a chosen point between commit and publish: `python -m tests.checks.crashing MONGO NATS VAR`.

Reads a list of jobs per line (JSON) from stdin and answers with the list of their ends. Every job runs in a process of its own,
forked from this one before anything connects. It does the service's own work with the service's own repository and chassis' relay; only
here, in the child, one method is wrapped so that the process kills itself (SIGKILL) at its n-th call.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
import time
from pathlib import Path
from typing import Any

from chassis.aggregate import Request
from chassis.bus import Bus
from chassis.bus_thread import BusThread
from chassis.errors import TongbanError
from chassis.identity_types import Principal
from chassis.parts import Parts
from chassis.relay import Relay
from chassis.settings import Settings
from chassis.store import Collection
from chassis.tests.helpers import settings
from services.tasks import commands
from services.tasks.__main__ import of
from tests.inprocess import directory_of

HOLDERS = ("one", "two", "three")
AT_ONCE = 6
CREATOR = Principal("zhuren", posts=("zfb:head",))


class Project:
    """Stands for the search index, which the relay feeds before it publishes."""

    @staticmethod
    def into_index(_kind: str, _records: list[Any]) -> None:
        """Takes nothing in."""


def die() -> None:
    """As by a power cut: nothing is flushed, closed or handed over."""
    os.kill(os.getpid(), signal.SIGKILL)
    time.sleep(60)


async def _sent_only(bus: Bus, event: dict[str, Any], more: dict[str, str]) -> None:
    """Hands this part of the batch to the broker and dies before the acknowledgement is read."""
    await bus._stage(event, more)
    await bus.nc.flush()
    die()


# Point → where the process dies: class, method, before or after, at which call. `when`: what the process is doing.
POINTS: dict[str, tuple[type, str, str, int, str]] = {
    "add: intent written, nothing saved": (Collection, "insert", "before", 2, "add"),
    "add: saved, not yet woken": (Collection, "insert", "after", 2, "add"),
    "add: woken": (BusThread, "hint", "after", 1, "add"),
    "change: intent written, nothing saved": (Collection, "save", "before", 1, "change"),
    "change: saved, not yet woken": (Collection, "save", "after", 1, "change"),
    "change: woken": (BusThread, "hint", "after", 1, "change"),
    "relay: hears of the intent": (Relay, "_on_wake", "before", 1, "wake"),
    "relay: noted the intent": (Relay, "_on_wake", "after", 1, "wake"),
    "relay: begins": (Relay, "_carry_out", "before", 1, "relay"),
    "relay: intents read": (Relay, "_all", "after", 1, "relay"),
    "relay: records read": (Collection, "get_many", "after", 1, "relay"),
    "relay: before the index": (Project, "into_index", "before", 1, "relay"),
    "relay: after the index": (Project, "into_index", "after", 1, "relay"),
    "publish: before the batch of 3": (Bus, "publish_batch", "before", 1, "relay"),
    "publish: before the 1st of 3": (Bus, "_stage", "before", 1, "relay"),
    "publish: 1st sent": (Bus, "_stage", "sent", 1, "relay"),
    "publish: 2nd sent, batch not ended": (Bus, "_stage", "sent", 2, "relay"),
    "publish: batch ended, not acknowledged": (Bus, "_commit", "sent", 1, "relay"),
    "publish: batch acknowledged": (Bus, "_commit", "after", 1, "relay"),
    "publish: batch over": (Bus, "publish_batch", "after", 1, "relay"),
    "relay: all published, outbox still full": (Collection, "published", "before", 1, "relay"),
    "relay: outbox emptied, intent still there": (Collection, "published", "after", 1, "relay"),
    "relay: before the intent goes": (Collection, "remove_many", "before", 1, "relay"),
    "relay: intent gone": (Collection, "remove_many", "after", 1, "relay"),
}  # fmt: skip


def arm(kind: type, name: str, how: str, nth: int) -> None:
    """Wrap kind.name so that this process dies at the n-th call."""
    inner, calls = getattr(kind, name), [0]

    def due() -> bool:
        calls[0] += 1
        return calls[0] == nth

    async def awaited(*args: Any, **more: Any) -> Any:
        now = due()
        if now and how == "before":
            die()
        if now and how == "sent":
            await _sent_only(*args, **more)
        answer = await inner(*args, **more)
        if now:
            die()
        return answer

    def plain(*args: Any, **more: Any) -> Any:
        now = due()
        if now and how == "before":
            die()
        answer = inner(*args, **more)
        if now:
            if kind is BusThread:
                time.sleep(0.2)  # the hint leaves from another thread
            die()
        return answer

    wrapped = awaited if asyncio.iscoroutinefunction(inner) else plain
    setattr(kind, name, staticmethod(wrapped) if isinstance(vars(kind)[name], staticmethod) else wrapped)


class Work:
    """What one child does."""

    def __init__(self, given: Settings) -> None:
        self.name = given.service
        self.parts = Parts(given)
        people = {person: ["zfb:member"] for person in HOLDERS}
        units = [("zfb", "办公室", "", "organisation")]
        self.parts.__dict__["directory"] = directory_of(units, people)
        self.kept = of(self.parts)

    def add(self) -> None:
        """Give a task to three people; the same request however often it is sent."""
        commands.create_task(
            self.kept.tasks, self.parts.directory, CREATOR, Request(f"{self.name}-add", "d"), title="防汛值班", text="值班",
            assignees=[f"p:{person}" for person in HOLDERS], urgency="", unit="zfb", due_at=None,
        )  # fmt: skip

    def change(self) -> None:
        """The first of them is done."""
        task = Request(f"{self.name}-add", "d").new_id()
        done = Principal("one", posts=("zfb:member",))
        commands.complete_task(
            self.kept.tasks, done, Request(f"{self.name}-change", "d"), key=task, number=0, result="已值班"
        )

    async def relay(self, seconds: float, wake: Any = None, *, to_die: bool = False) -> None:
        """Carry out what is pending, for so long or until nothing is left; who is to die waits for it also then."""
        bus = Bus(self.parts.settings)
        await bus.connect()
        repositories = self.kept.by_name()
        relay = Relay(self.parts.settings.service, self.parts.store, bus, repositories, Project.into_index)
        running = asyncio.create_task(relay.run())
        if wake:
            await asyncio.sleep(0.2)
            await bus.nc.flush()
            await asyncio.to_thread(wake)
        end = time.monotonic() + seconds
        while time.monotonic() < end and not running.done():
            await asyncio.sleep(0.1)
            if not to_die and not await asyncio.to_thread(self.left):
                break
        running.cancel()
        await bus.close()

    def left(self) -> bool:
        """Whether there are events that were not sent."""
        tasks = self.parts.store.collection("tasks")
        return any(record.get("outbox") for record in tasks.scan()) or bool(
            self.parts.store.collection("pending").count()
        )


def child(job: dict[str, Any], given: Settings) -> None:
    """One job: with a point the process dies there; without one it does what is wanted and ends."""
    work = Work(given)
    if not job.get("point"):
        if job.get("write"):
            getattr(work, job["write"])()
        asyncio.run(work.relay(job.get("seconds", 5.0)))
        return
    kind, name, how, nth, when = POINTS[job["point"]]
    if when in ("add", "change"):
        # Clients and their threads are made first, so that only the write itself is counted.
        assert work.parts.bus.connected.wait(60)
        if when == "change":
            work.add()
        arm(kind, name, how, nth)
        getattr(work, when)()
        return
    if when == "wake":
        assert work.parts.bus.connected.wait(60)
        arm(kind, name, how, nth)
        asyncio.run(work.relay(90.0, work.add, to_die=True))
        return
    work.add()
    arm(kind, name, how, nth)
    asyncio.run(work.relay(90.0, to_die=True))


def main() -> None:
    mongo, nats, var = sys.argv[1:4]
    for line in sys.stdin:
        jobs, ends = json.loads(line), []
        for start in range(0, len(jobs), AT_ONCE):
            pids = [
                begin(job, settings(Path(var), service=job["service"], mongo_uri=mongo, nats_url=nats))
                for job in jobs[start : start + AT_ONCE]
            ]
            ends += [ended(pid) for pid in pids]
        print(json.dumps(ends), flush=True)


def begin(job: dict[str, Any], given: Settings) -> int:
    """The process that does this job."""
    pid = os.fork()
    if pid:
        return pid
    code = 0
    try:
        child(job, given)
    except (TongbanError, AssertionError, OSError) as problem:
        print(job, problem, file=sys.stderr, flush=True)
        code = 3
    os._exit(code)


def ended(pid: int) -> str:
    """How the process ended: "killed", or "done", or "failed"."""
    status = os.waitpid(pid, 0)[1]
    if os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL:
        return "killed"
    return "done" if status == 0 else "failed"


if __name__ == "__main__":
    main()
