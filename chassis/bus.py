"""NATS: one connection to the broker, with its streams, key-value buckets, wake-ups and pushes.

It is for asyncio programs (work, the SSE process); synchronous servers have it run in a thread (chassis.bus_thread).
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import uuid
from collections.abc import Callable
from typing import Any

from nats.aio.client import Client
from nats.errors import Error as NatsError
from nats.errors import TimeoutError as NoAnswer
from nats.js import JetStreamContext
from nats.js.api import KeyValueConfig, StreamConfig
from nats.js.errors import APIError, BadRequestError, BucketNotFoundError, NotFoundError

from chassis import log, metrics
from chassis.settings import Settings, number, text
from chassis.streams import ENDED, ENDED_SECONDS, stream_configs
from chassis.strict import lax

ANSWER = 2.0  # seconds after which an event without an acknowledgement is sent once more
NAMED = 100_000  # subjects that the broker names in one answer
TICK = 1.0  # seconds after which a silent watch looks whether the broker was restarted
ASK = 20  # so many ticks of silence, and the watch asks whether its consumer is still there
_log = log.get(__name__)


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

    async def keys(self, name: str) -> list[str]:
        """The keys of a bucket that exists, sorted; some of them may have been deleted.

        The library's own `keys` finds none when the entries come sooner than the answer to how many there are.
        """
        prefix = f"$KV.{name}."
        state = (await self.js.stream_info(f"KV_{name}", subjects_filter=f"{prefix}>")).state
        found = sorted(subject.removeprefix(prefix) for subject in state.subjects or {})
        if len(found) >= NAMED:
            raise RuntimeError(f"bucket {name} has more keys than the broker names at once")
        return found

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
