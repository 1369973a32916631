"""NATS: streams, key-value buckets, wake-ups and pushes.

`Bus` is for asyncio programs (work, the SSE process). `BusThread` runs one in a thread for synchronous servers; if the broker is
away it keeps trying, and what needs the broker only as a hint (wake, push) is dropped meanwhile.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Awaitable, Callable
from typing import Any

from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.errors import Error as NatsError
from nats.js import JetStreamContext
from nats.js.api import DiscardPolicy, KeyValueConfig, RetentionPolicy, StorageType, StreamConfig
from nats.js.errors import BadRequestError, BucketNotFoundError, NotFoundError

from chassis import log
from chassis.settings import Settings, number

STREAM, DEAD = "TONGBAN", "TONGBAN_DEAD"
_DUPLICATES = 2 * 3600  # seconds; longer than the relay needs to get over any outage it retries through without a restart
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
            max_bytes=int(number("STREAM_BYTES", 4 << 30)), **common,
        ),
        StreamConfig(name=DEAD, subjects=["dead.tongban.>"], max_bytes=int(number("DEAD_BYTES", 1 << 28)), **common),
    ]  # fmt: skip


class Bus:
    """One connection to NATS that comes back by itself."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self.nc = Client()
        self.js: JetStreamContext = self.nc.jetstream(timeout=5)

    async def connect(self) -> None:
        """Connect, waiting for the broker for as long as it takes, and make sure that the streams exist."""

        async def problem(error: Exception) -> None:
            _log.warning("broker", problem=str(error) or type(error).__name__)

        while True:
            try:
                await self.nc.connect(
                    self._settings.nats_url, name=f"{self._settings.service}-{self._settings.process}",
                    max_reconnect_attempts=-1, reconnect_time_wait=0.5, ping_interval=10, error_cb=problem,
                    allow_reconnect=True, connect_timeout=3, drain_timeout=2,
                )  # fmt: skip
                break
            except (NatsError, OSError, TimeoutError) as error:
                _log.warning("broker away", problem=str(error) or type(error).__name__)
                await asyncio.sleep(1)
        await self._streams()

    async def _streams(self) -> None:
        for config in stream_configs():
            while True:
                try:
                    await self.js.add_stream(config)
                except BadRequestError:
                    # It exists with other limits: an operator's change of settings is carried over.
                    await self.js.update_stream(config)
                except (NatsError, TimeoutError) as error:
                    _log.warning("stream not ready", stream=config.name, problem=str(error) or type(error).__name__)
                    await asyncio.sleep(1)
                    continue
                break

    async def publish(self, subject: str, data: bytes, headers: dict[str, str], event_id: str) -> None:
        """Publish durably: returns once the stream has it; the same event id within the window is stored once."""
        await self.js.publish(subject, data, headers={**headers, "ce-id": event_id, "Nats-Msg-Id": event_id}, timeout=5)

    async def bucket(self, name: str) -> Any:
        """The key-value bucket, created when absent."""
        try:
            return await self.js.key_value(name)
        except (BucketNotFoundError, NotFoundError):
            with contextlib.suppress(BadRequestError):
                replicas = int(number("NATS_REPLICAS", 1))
                await self.js.create_key_value(KeyValueConfig(bucket=name, history=1, replicas=replicas))
            return await self.js.key_value(name)

    async def watch(self, name: str, on_entry: Callable[[str, bytes | None], None], on_ready: Callable[[], None]) -> None:
        """Tell every entry of a bucket, then every change, for ever; None as value means deleted.

        After a broker restart the watch is made anew, since an ordered consumer does not come back by itself.
        """
        while True:
            try:
                watcher = await (await self.bucket(name)).watchall()
                while True:
                    try:
                        entry = await watcher.updates(timeout=20)
                    except (NatsError, TimeoutError):
                        if await self._watch_lost(watcher):
                            break
                        continue
                    if entry is None:
                        on_ready()
                        continue
                    on_entry(entry.key, None if entry.operation in ("DEL", "PURGE") else entry.value)
            except (NatsError, OSError, TimeoutError) as error:
                _log.warning("watch interrupted", bucket=name, problem=str(error) or type(error).__name__)
            await asyncio.sleep(1)

    async def _watch_lost(self, watcher: Any) -> bool:
        try:
            await watcher._sub.consumer_info()  # noqa: SLF001 - nats-py offers no public way to ask
        except (NatsError, TimeoutError, AttributeError):
            return True
        return False

    async def close(self) -> None:
        """Hand over what is buffered and disconnect.

        Not by drain(), which waits for pull subscriptions that never finish.
        """
        if self.nc.is_connected:
            with contextlib.suppress(NatsError, TimeoutError):
                await self.nc.flush(2)
        if not self.nc.is_closed:
            await self.nc.close()


class BusThread:
    """A Bus in a thread of its own, for synchronous servers."""

    def __init__(self, settings: Settings) -> None:
        self._bus = Bus(settings)
        self._loop = asyncio.new_event_loop()
        self.connected = threading.Event()
        self._thread = threading.Thread(target=self._run, name="bus", daemon=True)

    def start(self) -> BusThread:
        """Begin to connect; returns at once."""
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self._connect(), self._loop)
        return self

    @property
    def up(self) -> bool:
        """Whether the broker answers right now."""
        return self._bus.nc.is_connected

    def hint(self, subject: str, data: bytes = b"") -> None:
        """Publish something whose loss does no harm (core NATS); returns at once."""
        if self.up:
            self._loop.call_soon_threadsafe(lambda: self._loop.create_task(self._hint(subject, data)))

    def publish(self, subject: str, data: bytes, headers: dict[str, str], event_id: str) -> None:
        """Publish durably and wait for the acknowledgement."""
        self.run(self._bus.publish(subject, data, headers, event_id), 6)

    def subscribe(self, subject: str, handler: Callable[[str, bytes], None]) -> None:
        """Call `handler` for every core message on `subject`, in the bus thread; it must not block."""

        async def on_message(message: Msg) -> None:
            handler(message.subject, message.data)

        self._when_connected(lambda: self._bus.nc.subscribe(subject, cb=on_message))

    def watch(self, bucket: str, on_entry: Callable[[str, bytes | None], None], on_ready: Callable[[], None]) -> None:
        """See Bus.watch."""
        self._when_connected(lambda: self._bus.watch(bucket, on_entry, on_ready))

    def put(self, bucket: str, key: str, value: bytes) -> None:
        """Store one entry of a bucket durably."""

        async def put() -> None:
            await (await self._bus.bucket(bucket)).put(key, value)

        self.run(put(), 10)

    def run(self, job: Awaitable[Any], seconds: float) -> Any:
        """Run a coroutine on the bus' loop and wait for its result."""
        return asyncio.run_coroutine_threadsafe(_await(job), self._loop).result(seconds)

    @property
    def bus(self) -> Bus:
        """The Bus itself, for coroutines given to `run`."""
        return self._bus

    def close(self) -> None:
        """Disconnect; part of a graceful stop."""
        with contextlib.suppress(TimeoutError, NatsError):
            self.run(self._bus.close(), 5)
        self._loop.call_soon_threadsafe(self._loop.stop)

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_forever()

    async def _connect(self) -> None:
        await self._bus.connect()
        self.connected.set()

    async def _hint(self, subject: str, data: bytes) -> None:
        with contextlib.suppress(NatsError):
            await self._bus.nc.publish(subject, data)

    def _when_connected(self, job: Callable[[], Awaitable[Any]]) -> None:
        async def later() -> None:
            while not self.connected.is_set():
                await asyncio.sleep(0.05)
            await job()

        asyncio.run_coroutine_threadsafe(later(), self._loop)


async def _await(job: Awaitable[Any]) -> Any:
    return await job


__all__ = ["DEAD", "STREAM", "Bus", "BusThread", "push_subject"]
