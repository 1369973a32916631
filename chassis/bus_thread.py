"""A Bus in a thread, for synchronous servers: hints, durable publishing, subscriptions and watches.

If the broker is away it keeps trying, and what needs the broker only as a hint (wake, push) is dropped meanwhile.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Awaitable, Callable, Coroutine
from concurrent.futures import CancelledError
from typing import Any

from nats.aio.msg import Msg
from nats.errors import Error as NatsError

from chassis import log
from chassis.bus import Bus
from chassis.errors import Unavailable
from chassis.loops import end_all
from chassis.settings import Settings

_log = log.get(__name__)


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


async def _await(job: Awaitable[Any]) -> Any:
    return await job
