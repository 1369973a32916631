"""What every service's __main__ hands over to: `serve` (gRPC), `work` (relay, consumers), and the service's own commands."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from chassis import log, metrics, putback, telemetry, tls
from chassis.bus import Bus
from chassis.consumer import Consumer
from chassis.consuming import Running
from chassis.door import Who
from chassis.health import Health
from chassis.loops import end_all
from chassis.parts import Parts
from chassis.registry import Registry
from chassis.relay import Relay
from chassis.repository import Repository
from chassis.server import build, taking_calls
from chassis.settings import SettingMissing, required, settings

GRACE = 10  # seconds that a stopping server gives to calls under way
LOOK = 1.0  # seconds after which a server looks whether it still takes calls
DIRECTORY_SECONDS = 3.0  # that a starting server waits for names
_log = log.get(__name__)


@dataclass(frozen=True)
class Service:
    """One service, as its __main__ composes it.

    who: the table of who may call what; security: which of these methods are refused while nobody could keep their record;
    add(parts, server) adds the servicers; repositories(parts) → name → repository; consumers(parts) → what `work` listens to;
    registry(parts) → its search index; commands: further verbs of the command line; mend(parts) → what puts right that which
    follows from an aggregate of those for whom a backup is put back.
    """

    name: str
    who: Who
    add: Callable[[Parts, Any], None]
    repositories: Callable[[Parts], dict[str, Repository[Any]]]
    consumers: Callable[[Parts], list[Consumer]] = lambda _parts: []
    registry: Callable[[Parts], Registry] | None = None
    background: Callable[[Parts], list[Any]] = lambda _parts: []
    commands: dict[str, Callable[[Parts, list[str]], int]] = field(default_factory=dict)
    mend: Callable[[Parts], Callable[[Any], None]] = lambda _parts: lambda _aggregate: None
    security: frozenset[str] = frozenset()


def main(service: Service) -> None:
    """Run the verb that the command line names."""
    verbs: dict[str, Callable[[Parts, list[str]], int]] = {
        "serve": lambda parts, _args: serve(service, parts),
        "work": lambda parts, _args: asyncio.run(work(service, parts)),
        "rebuild-index": lambda parts, _args: rebuild(service, parts),
        "put-back": lambda parts, args: putback.run(
            parts, service.repositories(parts), service.mend(parts), args
        ),
        **service.commands,
    }
    if len(sys.argv) < 2 or sys.argv[1] not in verbs:
        sys.exit(f"usage: python -m … {{{'|'.join(verbs)}}}")
    log.configure(service.name, sys.argv[1])
    try:
        given = settings()
        telemetry.start(service.name, sys.argv[1])
        sys.exit(verbs[sys.argv[1]](Parts(given), sys.argv[2:]))
    except SettingMissing as problem:
        sys.exit(str(problem))


def serve(service: Service, parts: Parts) -> int:
    """Serve gRPC until a signal (status 0; calls under way are finished), or until no calls are taken any more (status 1)."""
    address = required("GRPC")
    stop = threading.Event()
    for name in (signal.SIGTERM, signal.SIGINT):
        signal.signal(name, lambda *_: stop.set())
    health = Health(needed={"store": parts.store.ping}, useful={"bus": lambda: parts.bus.up})
    parts.audit.security = service.security
    server = build(parts.settings, parts.verifier, service.who, health, parts.audit.start())
    service.add(parts, server)
    # With the broker there this takes no time; without it what needs the directory is put off, and all else is served.
    parts.directory.ready.wait(DIRECTORY_SECONDS)
    tls.listen(server, address, tls.identity())
    server.start()
    metrics.ready(health.serving)
    metrics.serve()
    _log.info("serving", address=address)
    while not stop.wait(LOOK):
        if not taking_calls():
            _log.error("serve ends", problem="the server takes no calls any more")
            # At once: whatever closes the server waits for that thread for ever. What is still to be sent lies on the disk.
            os._exit(1)
    health.stopping = True
    server.stop(GRACE).wait()
    parts.close()
    _log.info("stopped")
    return 0


async def work(service: Service, parts: Parts) -> int:
    """Relay, consume and keep the index until a signal (status 0) or until one of these jobs breaks (status 1)."""
    stop = asyncio.Event()
    for name in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(name, stop.set)
    stopped = asyncio.create_task(stop.wait())
    registry = service.registry(parts) if service.registry else None
    bus = Bus(parts.settings)
    working = threading.Event()
    metrics.ready(working.is_set)
    if registry:
        metrics.watch(
            "tongban_index_ready", "Whether the search index takes things in", lambda: float(registry.writing)
        )
    metrics.serve()
    # Opening may take long, for the broker is waited for and the index may have to be built: it is a job like the others.
    opening = asyncio.create_task(_open(service, parts, registry, bus, working))
    tasks: set[asyncio.Task[Any]] = {opening}
    failed: BaseException | None = None
    while not stop.is_set() and failed is None:
        done, _ = await asyncio.wait({*tasks, stopped}, return_when=asyncio.FIRST_COMPLETED)
        for task in done - {stopped}:
            tasks.discard(task)
            failed = failed or task.exception()
            if task is opening and failed is None:
                tasks |= {asyncio.create_task(job) for job in opening.result()}
    if failed is not None:
        _log.error("work ends", exc_info=failed)
    await end_all([*tasks, stopped])
    await bus.close()
    if registry:
        registry.close()
    parts.close()
    _log.info("stopped")
    return 1 if failed else 0


async def _open(
    service: Service, parts: Parts, registry: Registry | None, bus: Bus, working: threading.Event
) -> list[Any]:
    """Make ready what the jobs of `work` need; returns these jobs."""
    repositories = service.repositories(parts)
    if registry:
        await asyncio.to_thread(registry.open_writer, repositories)
    await bus.connect()
    relay = Relay(
        service.name, parts.store, bus, repositories, registry.project if registry else lambda _k, _r: None
    )
    running = [Running(service.name, consumer, bus) for consumer in service.consumers(parts)]
    return [
        relay.run(),
        *(one.run() for one in running),
        *service.background(parts),
        _announce(parts, running, working),
    ]


async def _announce(parts: Parts, running: list[Running], working: threading.Event) -> None:
    """Say, once every consumer is bound, that this process is at work (the local supervisor waits for this file)."""
    for one in running:
        await one.bound.wait()
    working.set()
    folder = parts.settings.var / "ready"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{parts.settings.service}-work").write_text("ready\n")
    _log.info("working", consumers=len(running))


def rebuild(service: Service, parts: Parts) -> int:
    """Build the search index anew from the records, with progress. `work` must not be running."""
    if service.registry is None:
        return 0
    service.registry(parts).rebuild(
        service.repositories(parts), lambda done: _log.info("rebuilding", records=done)
    )
    return 0
