"""A service inside the test's own process: its gRPC server, its relay and its consumers on real engines, without Keycloak.

Every Running gets a database, subjects and durables of its own, since all of these follow from the service's name.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import os
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import grpc
import pymongo
from google.protobuf.message import Message
from tongban.events.v1 import audit_pb2
from tongban.portal.v1 import directory_pb2

from chassis import client
from chassis import registry as lists
from chassis.bus import Bus
from chassis.consuming import Running as RunningConsumer
from chassis.directory import Directory
from chassis.errors import NotSignedIn, from_rpc_error
from chassis.health import Health
from chassis.identity_types import Principal
from chassis.loops import end_all
from chassis.outbox import envelope
from chassis.parts import Parts
from chassis.process import Service
from chassis.relay import Relay
from chassis.server import build
from chassis.settings import Settings
from chassis.streams import AUDIT
from services.audit import events as audit_events


class PlainVerifier:
    """Takes tokens that say in clear who calls; never leaves the tests."""

    def verify(self, token: str) -> Principal:
        try:
            said = json.loads(base64.urlsafe_b64decode(token))
        except ValueError as problem:
            raise NotSignedIn("NOT_SIGNED_IN", "请先登录。") from problem
        return Principal(**{**said, "posts": tuple(said["posts"]), "roles": frozenset(said["roles"])})

    def end_session(self, session: str) -> None:
        """No sessions here."""


def token(person: str, *posts: str, clearance: int = 0, roles: tuple[str, ...] = ()) -> str:
    said = {"person": person, "name": person, "posts": posts, "clearance": clearance, "roles": roles}
    return base64.urlsafe_b64encode(json.dumps(said).encode()).decode()


def directory_of(units: list[tuple[str, str, str, str]], people: dict[str, list[str]]) -> Directory:
    """A directory that stands still. units: (id, name, parent, kind); people: id → posts."""
    directory = Directory()
    for order, (unit, name, parent, kind) in enumerate(units):
        entry = directory_pb2.Unit(
            unit=unit, name=name, short_name=name, parent=parent, kind=kind, order=order
        )
        directory.on_entry(f"unit.{unit}", entry.SerializeToString())
    for order, (person, posts) in enumerate(people.items()):
        entry = directory_pb2.Person(
            person=person, username=person, name=f"{person}同志", posts=posts, order=order
        )
        directory.on_entry(f"person.{person}", entry.SerializeToString())
    directory.ready.set()
    return directory


# A busy machine may take longer to index; that a list waits for one's own write at all is what tests are about.
lists.OWN_WRITE = 10.0


class InProcess:
    """One service at work. `parts` is what its code stands on; `call` speaks to its gRPC door."""

    def __init__(
        self,
        service: Service,
        mongo: str,
        nats: str,
        var: Path,
        directory: Directory,
        secrets: str | None = None,
    ) -> None:
        # Of the broker; of the shared engines unless said otherwise.
        self._secrets = secrets
        name = f"{service.name}{uuid.uuid4().hex[:8]}"
        self.settings = Settings(
            service=name, process="test", public_url="https://test.local", mongo_uri=mongo, nats_url=nats,
            keycloak_url="http://127.0.0.1:9/id", realm="tongban", var=var, secrets=var,
        )  # fmt: skip
        self.service = service
        self.parts = Parts(self.settings)
        self.parts.__dict__.update(verifier=PlainVerifier(), directory=directory)
        self.pushes: list[tuple[str, dict[str, Any]]] = []
        self._mongo = mongo
        self._stop = threading.Event()

    @contextlib.contextmanager
    def running(self, *stubs: type) -> Iterator[InProcess]:
        """Serve and work for the time of the with-block; `stubs` are the generated stubs' classes."""
        self.parts.bus.subscribe("tongban.push.>", self._pushed)
        worker = threading.Thread(target=lambda: asyncio.run(self._work()), name="work")
        worker.start()
        health = Health(needed={}, useful={})
        self.parts.audit.security = self.service.security
        self.server = build(self.settings, self.parts.verifier, self.service.who, health, self.parts.audit)
        self.service.add(self.parts, self.server)
        self.port = port = self.server.add_insecure_port("127.0.0.1:0")
        # Pages and other services reach it as they do in a deployment.
        os.environ[f"TONGBAN_GRPC_{self.service.name.upper()}"] = f"127.0.0.1:{port}"
        client._channels.clear()
        self.server.start()
        assert self.bound.wait(60), "the consumers were not bound"
        # A subscription is made in the bus' own time; a push before it would be missed.
        eventually(lambda: self.parts.bus.hint("tongban.push.ready", b"{}") or self.pushes)
        self.pushes.clear()
        with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
            self._stubs = [stub(channel) for stub in stubs]
            try:
                yield self
            finally:
                self._stop.set()
                worker.join(20)
                self.server.stop(0).wait()
                self.parts.audit.close()
                self.parts.bus.close()
                pymongo.MongoClient(self._mongo).drop_database(f"tongban_{self.settings.service}")
                self.parts.store.close()

    bound = property(lambda self: self.__dict__.setdefault("_bound", threading.Event()))

    def call(self, method: str, request: Message, as_: str) -> Any:
        """Call with a token; errors are chassis.errors types."""
        try:
            stub = next(one for one in self._stubs if hasattr(one, method))
            return getattr(stub, method)(request, timeout=100, metadata=[("authorization", f"Bearer {as_}")])
        except grpc.RpcError as problem:
            raise from_rpc_error(problem) from problem

    def audited(self) -> list[audit_pb2.AuditRecord]:
        """What this service has put on record so far, in its order."""
        assert self.parts.audit.spool.flushed(60), "the audit's stream does not take records"
        return asyncio.run(
            audit_records(self.settings.nats_url, f"audit.v1.{self.settings.service}", self._secrets)
        )

    def tell(self, source: str, message: Message, *, times: int = 1, event_id: str = "") -> str:
        """Publish an event as another service would; repeats get past the broker's own deduplication."""
        event = envelope(source, message)
        key = event_id or event["id"]
        for _ in range(times):
            headers = {**event["headers"], "ce-id": key, "Nats-Msg-Id": uuid.uuid4().hex}
            self.parts.bus.run(
                self.parts.bus.bus.js.publish(event["subject"], event["data"], headers=headers), 10
            )
        return key

    def _pushed(self, subject: str, data: bytes) -> None:
        self.pushes.append((subject, json.loads(data)))

    async def _work(self) -> None:
        parts, service = self.parts, self.service
        registry = service.registry(parts) if service.registry else None
        repositories = service.repositories(parts)
        if registry:
            registry.open_writer(repositories)
        bus = Bus(self.settings)
        await bus.connect()
        await make_audit_stream(self.settings.nats_url, self._secrets)
        # Events of tests that ran before are none of this service's life.
        await bus.js.purge_stream("TONGBAN")
        project = registry.project if registry else lambda _kind, _records: None
        running = [RunningConsumer(self.settings.service, one, bus) for one in service.consumers(parts)]
        relay = Relay(self.settings.service, parts.store, bus, repositories, project)
        tasks = [asyncio.create_task(one) for one in (relay.run(), *(one.run() for one in running))]
        for one in running:
            await asyncio.wait_for(one.bound.wait(), 20)
        # Engines that were used before hold earlier events, which are taken in first.
        for one in running:
            while (  # noqa: ASYNC110 - the broker tells this to nobody who does not ask
                info := await bus.js.consumer_info("TONGBAN", one._durable)
            ).num_pending or info.num_ack_pending:
                await asyncio.sleep(0.05)
        self.pushes.clear()
        self.bound.set()
        while not self._stop.is_set() and not any(task.done() for task in tasks):  # noqa: ASYNC110 - set by another thread
            await asyncio.sleep(0.05)
        await end_all(tasks)
        for task in tasks:
            if not task.cancelled() and task.exception():
                raise task.exception()
        for one in running:
            await bus.js.delete_consumer("TONGBAN", one._durable)
        await bus.close()
        if registry:
            registry.close()


def audit_settings(nats: str, secrets: str | None = None) -> Settings:
    """Settings with which a test reaches the broker as services/audit does: with the password among these secrets, if there is one."""
    folder = Path(os.environ.get("TONGBAN_TEST_SECRETS", "/nonexistent") if secrets is None else secrets)
    return audit_events.own(Settings("audit", "test", "", "", nats, "", "", folder, folder))


async def make_audit_stream(nats: str, secrets: str | None = None) -> None:
    """Make the audit's stream, as services/audit does when it starts."""
    bus = Bus(audit_settings(nats, secrets))
    await bus.connect()
    await audit_events.make_stream(bus)
    await bus.close()


async def audit_records(nats: str, subject: str, secrets: str | None = None) -> list[audit_pb2.AuditRecord]:
    """All records in the audit's stream on this subject."""
    bus = Bus(audit_settings(nats, secrets))
    await bus.connect()
    found: list[audit_pb2.AuditRecord] = []
    try:
        subscription = await bus.js.pull_subscribe(subject, stream=AUDIT)
        left = (await subscription.consumer_info()).num_pending or 0
        while left > 0:
            messages = await subscription.fetch(min(100, left), timeout=10)
            left -= len(messages)
            for message in messages:
                found += audit_pb2.AuditBatch.FromString(message.data).records
                await message.ack()
        return found
    finally:
        await bus.close()


def eventually(check: Callable[[], Any], seconds: float = 60.0, pause: float = 0.02) -> Any:
    """The first truthy answer of `check`, asked after every `pause`; fails when there is none in time."""
    end = time.monotonic() + seconds
    while True:
        answer = check()
        if answer:
            return answer
        assert time.monotonic() < end, f"not within {seconds} s"
        time.sleep(pause)
