"""NATS: streams, key-value buckets, wake-ups and pushes.

`Bus` is for asyncio programs (work, the SSE process). `BusThread` runs one in a thread for synchronous servers; if the broker is
away it keeps trying, and what needs the broker only as a hint (wake, push) is dropped meanwhile.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import threading
import uuid
from collections.abc import Awaitable, Callable, Coroutine
from concurrent.futures import CancelledError
from typing import Any

from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.errors import Error as NatsError
from nats.errors import TimeoutError as NoAnswer
from nats.js import JetStreamContext
from nats.js.api import DiscardPolicy, KeyValueConfig, RetentionPolicy, StorageType, StreamConfig
from nats.js.errors import APIError, BadRequestError, BucketNotFoundError, NotFoundError

from chassis import log, metrics
from chassis.errors import Unavailable
from chassis.settings import Settings, number, text
from chassis.strict import lax

STREAM, DEAD = "TONGBAN", "TONGBAN_DEAD"
AUDIT = "TONGBAN_AUDIT"  # made and read by services/audit alone; everybody else may only add to it
ENDED = "ended"  # the bucket of ended logins, see chassis.ended
ENDED_SECONDS = 3600.0  # for which an entry is kept: much longer than an access token lives
_DUPLICATES = (
    2 * 3600
)  # seconds; longer than the relay needs to get over any outage it retries through without a restart
ANSWER = 2.0  # seconds after which an event without an acknowledgement is sent once more
TICK = 1.0  # seconds after which a silent watch looks whether the broker was restarted
ASK = 20  # so many ticks of silence, and the watch asks whether its consumer is still there
_log = log.get(__name__)


def push_subject(token: str) -> str:
    """Where pushes for an audience token go: u:fgw:registrar → tongban.push.u.fgw.registrar."""
    return "tongban.push." + token.replace(":", ".")


def stream_configs() -> list[StreamConfig]:
    """The streams of the platform. When full they refuse, so that nothing acknowledged is ever dropped."""
    replicas = int(number("NATS_REPLICAS", 1))
    common: dict[str, Any] = {
        "retention": RetentionPolicy.LIMITS, "discard": DiscardPolicy.NEW, "storage": StorageType.FILE,
        "num_replicas": replicas, "duplicate_window": _DUPLICATES,
    }  # fmt: skip
    days = number("STREAM_DAYS", 30)
    return [
        StreamConfig(
            name=STREAM, subjects=["tongban.*.v1.>"], max_age=days * 86400,
            max_bytes=int(number("STREAM_BYTES", 4 << 30)), allow_atomic=True, **common,
        ),
        StreamConfig(name=DEAD, subjects=["dead.tongban.>"], max_bytes=int(number("DEAD_BYTES", 1 << 28)), **common),
    ]  # fmt: skip


class Bus:
    """One connection to NATS that comes back by itself."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self.nc = Client()
        self.js: JetStreamContext = self.nc.jetstream(timeout=5)
        self._returns = 0  # how often the broker came back

    @property
    def up(self) -> bool:
        """Whether the broker answers right now."""
        return self.nc.is_connected

    async def connect(self) -> None:
        """Connect, waiting for the broker for as long as it takes, and make sure that the streams exist."""
        metrics.watch("tongban_bus_up", "Whether the broker answers this process", lambda: float(self.up))

        async def problem(error: Exception) -> None:
            _log.warning("broker", problem=str(error) or type(error).__name__)

        async def returned() -> None:
            self._returns += 1
            _log.info("broker back")

        while True:
            try:
                await self.nc.connect(
                    # One address, or those of a cluster with commas between them.
                    self._settings.nats_url.split(","), name=f"{self._settings.service}-{self._settings.process}",
                    max_reconnect_attempts=-1, ping_interval=10, error_cb=problem,
                    reconnect_time_wait=0.5,  # type: ignore[arg-type] # fractions are waited for as well
                    reconnected_cb=returned, allow_reconnect=True, connect_timeout=3, drain_timeout=2,
                )  # fmt: skip
                break
            except (NatsError, OSError, TimeoutError) as error:
                _log.warning("broker away", problem=str(error) or type(error).__name__)
                await asyncio.sleep(1)
        await self._streams()

    async def _streams(self) -> None:
        # Nothing is begun on a broker that might forget what it has acknowledged.
        while brokers := await asyncio.to_thread(lax, text("NATS_MONITOR")):
            _log.error("broker refused: it needs sync_interval: always", brokers=brokers)
            await asyncio.sleep(2)
        for config in stream_configs():
            while True:
                try:
                    await self._stream(config)
                except (NatsError, TimeoutError) as error:
                    _log.warning(
                        "stream not ready", stream=config.name, problem=str(error) or type(error).__name__
                    )
                    await asyncio.sleep(1)
                    continue
                break

    async def _stream(self, config: StreamConfig) -> None:
        try:
            await self.js.add_stream(config)
        except APIError:
            # Either it exists with other limits, for then an operator's change of settings is carried over, or there is none.
            await self.js.stream_info(str(config.name))
            try:
                await self.js.update_stream(config)
            except APIError as error:
                # The change is one that the broker does not allow. The stream works on as it is.
                _log.error("stream keeps its old limits", stream=config.name, problem=str(error))

    async def publish(self, subject: str, data: bytes, headers: dict[str, str], event_id: str) -> None:
        """Publish durably: returns once the stream has it; the same event id within the window is stored once."""
        told = {**headers, "ce-id": event_id, "Nats-Msg-Id": event_id}
        try:
            await self.js.publish(subject, data, headers=told, timeout=ANSWER)
        except NoAnswer:
            # The broker that had it may be gone, and another have taken over; should both have it, it is stored once.
            await self.js.publish(subject, data, headers=told, timeout=5 - ANSWER)

    async def publish_batch(self, events: list[dict[str, Any]]) -> None:
        """Publish these outbox entries durably, all or none, in their order.

        Raises APIError when the stream takes none of them, as when it holds one of them already; after a timeout it may hold all.
        """
        batch = uuid.uuid4().hex
        for place, event in enumerate(events[:-1], 1):
            await self._stage(event, {"Nats-Batch-Id": batch, "Nats-Batch-Sequence": str(place)})
        end = {"Nats-Batch-Id": batch, "Nats-Batch-Sequence": str(len(events)), "Nats-Batch-Commit": "1"}
        await self._commit(events[-1], end)

    async def _stage(self, event: dict[str, Any], more: dict[str, str]) -> None:
        await self.nc.publish(event["subject"], bytes(event["data"]), headers=_named(event, more))

    async def _commit(self, event: dict[str, Any], more: dict[str, str]) -> None:
        reply = await self.nc.request(
            event["subject"], bytes(event["data"]), timeout=5, headers=_named(event, more)
        )
        answer = json.loads(reply.data)
        if "error" in answer:
            raise APIError.from_error(answer["error"])
        if answer.get("count") != int(more["Nats-Batch-Sequence"]):
            # A server that knows no batches has stored the last event only.
            raise APIError(description="the broker takes no batches")

    async def bucket(self, name: str) -> Any:
        """The key-value bucket, created when absent."""
        try:
            return await self.js.key_value(name)
        except (BucketNotFoundError, NotFoundError):
            with contextlib.suppress(BadRequestError):
                replicas = int(number("NATS_REPLICAS", 1))
                await self.js.create_key_value(
                    KeyValueConfig(
                        bucket=name,
                        history=1,
                        replicas=replicas,
                        ttl=ENDED_SECONDS if name == ENDED else None,
                    )
                )
            return await self.js.key_value(name)

    async def watch(
        self, name: str, on_entry: Callable[[str, bytes | None], None], on_ready: Callable[[], None]
    ) -> None:
        """Tell every entry of a bucket, then every change, for ever; None as value means deleted.

        After a broker restart the watch is made anew, since an ordered consumer does not come back by itself; then every entry is
        told again, and so is on_ready.
        """
        while True:
            watcher: Any = None
            try:
                returns = self._returns
                watcher = await (await self.bucket(name)).watchall()
                # The library says "that is all" too early when the first entries still wait in its own queue.
                facts = await watcher._sub.consumer_info()  # noqa: SLF001 - nats-py offers no public way to ask
                first = facts.delivered.consumer_seq + facts.num_pending
                told, idle = 0, 0
                if not first:
                    self._tell(name, None, on_entry, on_ready)
                while returns == self._returns:
                    try:
                        entry = await watcher.updates(timeout=TICK)
                    except TimeoutError:
                        idle += 1
                        if idle % ASK == 0:
                            await watcher._sub.consumer_info()  # noqa: SLF001 - nats-py offers no public way to ask
                        continue
                    idle = 0
                    if entry is None:
                        continue
                    self._tell(name, entry, on_entry, on_ready)
                    told += 1
                    if told == first:
                        self._tell(name, None, on_entry, on_ready)
            except Exception as error:  # noqa: BLE001 - whatever the client library raises, the watch must not end
                _log.warning("watch interrupted", bucket=name, problem=str(error) or type(error).__name__)
                await asyncio.sleep(1)
            finally:
                if watcher is not None:
                    with contextlib.suppress(Exception):
                        await watcher.stop()

    def _tell(
        self,
        name: str,
        entry: Any,
        on_entry: Callable[[str, bytes | None], None],
        on_ready: Callable[[], None],
    ) -> None:
        try:
            if entry is None:
                on_ready()
            else:
                on_entry(entry.key, None if entry.operation in ("DEL", "PURGE") else entry.value)
        except Exception:  # noqa: BLE001 - whatever its reader raises
            # One entry that cannot be read must not keep the others away.
            _log.exception("entry not taken in", bucket=name, key=entry.key if entry else None)

    async def close(self) -> None:
        """Hand over what is buffered and disconnect.

        Not by drain(), which waits for pull subscriptions that never finish.
        """
        if self.nc.is_connected:
            with contextlib.suppress(NatsError, TimeoutError):
                await self.nc.flush(2)
        if not self.nc.is_closed:
            await self.nc.close()


def _named(event: dict[str, Any], more: dict[str, str]) -> dict[str, str]:
    return {**event["headers"], "ce-id": event["id"], "Nats-Msg-Id": event["id"], **more}


class BusThread:
    """A Bus in a thread of its own, for synchronous servers."""

    def __init__(self, settings: Settings) -> None:
        self._bus = Bus(settings)
        self._loop = asyncio.new_event_loop()
        self._ready = asyncio.Event()
        self._jobs: set[asyncio.Task[Any]] = set()
        self.connected = threading.Event()
        self._thread = threading.Thread(target=self._run, name="bus", daemon=True)

    def start(self) -> BusThread:
        """Begin to connect; returns at once."""
        self._thread.start()
        self._begin(self._connect)
        return self

    @property
    def up(self) -> bool:
        """Whether the broker answers right now."""
        return self._bus.up

    def hint(self, subject: str, data: bytes = b"") -> None:
        """Publish something whose loss does no harm (core NATS); returns at once."""
        if self.up:
            self._begin(lambda: self._hint(subject, data))

    def publish(self, subject: str, data: bytes, headers: dict[str, str], event_id: str) -> None:
        """Publish durably and wait for the acknowledgement.

        Raises Unavailable.
        """
        self.run(self._bus.publish(subject, data, headers, event_id), 6)

    def subscribe(self, subject: str, handler: Callable[[str, bytes], None]) -> None:
        """Call `handler` for every core message on `subject`, in the bus thread; it must not block."""

        async def on_message(message: Msg) -> None:
            handler(message.subject, message.data)

        self._when_connected(lambda: self._bus.nc.subscribe(subject, cb=on_message))

    def watch(
        self, bucket: str, on_entry: Callable[[str, bytes | None], None], on_ready: Callable[[], None]
    ) -> None:
        """See Bus.watch."""
        self._when_connected(lambda: self._bus.watch(bucket, on_entry, on_ready))

    def put(self, bucket: str, key: str, value: bytes) -> None:
        """Store one entry of a bucket durably.

        Raises Unavailable.
        """

        async def put() -> None:
            await (await self._bus.bucket(bucket)).put(key, value)

        self.run(put(), 10)

    def run(self, job: Awaitable[Any], seconds: float) -> Any:
        """Run a coroutine on the bus' loop and wait for its result.

        Raises Unavailable when the broker does not answer or refuses; what else the coroutine raises comes through.
        """
        future = asyncio.run_coroutine_threadsafe(_await(job), self._loop)
        try:
            return future.result(seconds)
        except (NatsError, TimeoutError, CancelledError) as problem:
            # It must not go on after its caller has been told that it failed.
            future.cancel()
            raise Unavailable(
                "BROKER_UNAVAILABLE",
                "消息服务暂时不可用，请稍后再试。",
                "The message broker does not answer.",
            ) from problem

    @property
    def bus(self) -> Bus:
        """The Bus itself, for coroutines given to `run`."""
        return self._bus

    def close(self) -> None:
        """End watches, disconnect, and end the thread; part of a graceful stop. A second call does nothing."""
        if self._loop.is_closed():
            return
        with contextlib.suppress(TimeoutError, NatsError):
            asyncio.run_coroutine_threadsafe(self._end(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(5)
        if not self._thread.is_alive():
            self._loop.close()

    async def _end(self) -> None:
        await end_all(list(self._jobs))
        with contextlib.suppress(NatsError, OSError, TimeoutError):
            await asyncio.wait_for(self._bus.close(), 5)
        await end_all([task for task in asyncio.all_tasks() if task is not asyncio.current_task()])

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_forever()

    async def _connect(self) -> None:
        await self._bus.connect()
        self._ready.set()
        self.connected.set()

    async def _hint(self, subject: str, data: bytes) -> None:
        with contextlib.suppress(NatsError):
            await self._bus.nc.publish(subject, data)

    def _when_connected(self, job: Callable[[], Awaitable[Any]]) -> None:
        async def later() -> None:
            await self._ready.wait()
            await job()

        self._begin(later)

    def _begin(self, job: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Start something on the loop for which nobody waits."""

        def begin() -> None:
            task = self._loop.create_task(job())
            self._jobs.add(task)
            task.add_done_callback(self._over)

        # After close there is nobody any more to whom a hint could go.
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(begin)

    def _over(self, task: asyncio.Task[Any]) -> None:
        self._jobs.discard(task)
        if not task.cancelled() and task.exception():
            _log.error("job of the bus ended", exc_info=task.exception())


async def end_all(tasks: list[asyncio.Task[Any]]) -> None:
    """Cancel tasks and wait until they are over; again and again, since a library's wait_for may swallow a cancellation."""
    left = {task for task in tasks if not task.done()}
    while left:
        for task in left:
            task.cancel()
        _, left = await asyncio.wait(left, timeout=0.5)


async def _await(job: Awaitable[Any]) -> Any:
    return await job


__all__ = ["AUDIT", "DEAD", "STREAM", "Bus", "BusThread", "end_all", "push_subject"]
