"""Durable pull consumers at work, with back-off and dead letters.

After five deliveries an event goes to the dead-letter stream with its reason and can be replayed from the administration's page. A
failing event waits by itself: the others go on. What cannot be read is buried at once. When what the handler needs is away
(Unavailable, TimedOut), the event waits for as long as that takes: an outage is no fault of the event's and fills no dead letters.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
import traceback
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import Any

from google.protobuf.message import DecodeError
from nats.aio.msg import Msg
from nats.errors import Error as NatsError
from nats.js.api import AckPolicy, ConsumerConfig, DeliverPolicy

from chassis import context, log, metrics, telemetry
from chassis.bus import Bus
from chassis.consumer import Consumer, Event, Later
from chassis.deadletters import bury
from chassis.errors import TimedOut, Unavailable
from chassis.loops import end_all
from chassis.outbox import event_type
from chassis.streams import STREAM

MAX_DELIVER = 5
BATCH = 20  # events taken at a time, for each that may be handled at once
IDLE = 5.0  # seconds that one request for events waits; so long it may take to notice that the broker is back
ACK_WAIT = 30.0  # seconds after which the broker gives an event of which it hears nothing to somebody else
BACKOFF = (0.2, 0.5, 1.0, 2.0)
AWAY = 15.0  # seconds at most between two tries while something is away
_log = log.get(__name__)


class Unreadable(Exception):
    """An event that no repetition will make readable."""


class Running:
    """One consumer at work."""

    def __init__(self, service: str, consumer: Consumer, bus: Bus) -> None:
        self._service = service
        self._consumer = consumer
        self._bus = bus
        self._durable = f"{service}-{consumer.name}"
        # By stream sequence. Deliveries are not counted by the broker's number: an event that had to wait is not a failed one.
        self._failures: Counter[int] = Counter()
        self._away: Counter[int] = Counter()
        # Threads of its own, so that slow handlers hold up nobody else.
        self._threads = ThreadPoolExecutor(consumer.at_once, thread_name_prefix=self._durable)
        self.bound = asyncio.Event()

    async def run(self) -> None:
        """Pull for ever; bind again whenever the broker forgot us."""
        while True:
            subscription: Any = None
            try:
                subscription = await self._bind()
                self.bound.set()
                await self._pull(subscription)
            except (NatsError, TimeoutError, OSError) as problem:
                _log.warning(
                    "consumer rebinds", consumer=self._durable, problem=str(problem) or type(problem).__name__
                )
                await asyncio.sleep(0.5)
            finally:
                if subscription is not None:
                    with contextlib.suppress(Exception):
                        await subscription.unsubscribe()

    async def _bind(self) -> Any:
        config = ConsumerConfig(
            durable_name=self._durable, description=self._consumer.title, filter_subjects=sorted(self._consumer.handlers), ack_policy=AckPolicy.EXPLICIT,
            # Without a limit of the broker's: an event is given up here, with a dead letter, or not at all.
            max_deliver=-1, ack_wait=ACK_WAIT, deliver_policy=DeliverPolicy.ALL, max_ack_pending=1000,
        )  # fmt: skip
        await self._bus.js.add_consumer(STREAM, config)
        return await self._bus.js.pull_subscribe_bind(durable=self._durable, stream=STREAM)

    async def _pull(self, subscription: Any) -> None:
        idle = 0
        while True:
            try:
                messages = await subscription.fetch(BATCH * self._consumer.at_once, timeout=IDLE)
            except TimeoutError:
                idle += 1
                if idle % 2 == 0:
                    # After a restart of the broker a pull subscription may stay silent for ever: ask whether we still exist.
                    await subscription.consumer_info()
                continue
            idle = 0
            await self._batch(messages)

    async def _batch(self, messages: list[Msg]) -> None:
        waiting = list(messages)
        beat = asyncio.create_task(self._hold(waiting))
        rows = [asyncio.create_task(self._in_a_row(row, waiting)) for row in self._rows(messages)]
        try:
            await asyncio.gather(*rows)
        finally:
            beat.cancel()
            await end_all(rows)
            # What is not begun when the process stops shall not wait until the broker misses us.
            for message in waiting:
                with contextlib.suppress(NatsError):
                    await message.nak()

    def _rows(self, messages: list[Msg]) -> list[list[Msg]]:
        """The messages that must be handled one after the other."""
        if self._consumer.at_once == 1:
            return [messages]
        rows: dict[str, list[Msg]] = {}
        for message in messages:
            rows.setdefault(self._about(message), []).append(message)
        return list(rows.values())

    def _about(self, message: Msg) -> str:
        entry = self._consumer.find(message.subject)
        try:
            told = entry[0].FromString(message.data) if entry else None
        except DecodeError:
            return ""
        return str(getattr(told, told.DESCRIPTOR.fields[0].name)) if told else ""

    async def _in_a_row(self, messages: list[Msg], waiting: list[Msg]) -> None:
        for message in messages:
            await self._one(message)
            waiting.remove(message)

    async def _hold(self, waiting: list[Msg]) -> None:
        """Tell the broker that these are in hand, however long the handler takes; else it would deliver them a second time."""
        while True:
            await asyncio.sleep(ACK_WAIT / 3)
            subject = waiting[0].subject if waiting else ""
            _log.warning("slow handler", consumer=self._durable, subject=subject, waiting=len(waiting))
            for message in list(waiting):
                with contextlib.suppress(NatsError):
                    await message.in_progress()

    async def _one(self, message: Msg) -> None:
        headers = message.headers or {}
        sequence, began = message.metadata.sequence.stream, time.monotonic()

        def count(outcome: str) -> None:
            # A subject for which there is no handler may be anything.
            kind = event_type(message.subject) if self._consumer.find(message.subject) else "unknown"
            metrics.EVENTS.done(time.monotonic() - began, self._durable, kind, outcome)

        try:
            await asyncio.get_running_loop().run_in_executor(
                self._threads, self._handle, message.subject, headers, message.data
            )
        except Later as wish:
            count("later")
            await message.nak(delay=wish.seconds)
            return
        except Exception as problem:  # noqa: BLE001 - whatever a handler raises, the event is kept
            why = "".join(traceback.format_exception_only(problem)).strip()
            trace = telemetry.trace_of(headers.get("traceparent", ""))
            about = {
                "consumer": self._durable,
                "event_id": headers.get("ce-id"),
                "problem": why,
                "trace": trace,
            }
            if isinstance(problem, Unavailable | TimedOut):
                self._away[sequence] += 1
                count("waits")
                _log.warning("event waits", delivery=self._away[sequence], **about)
                await message.nak(delay=min(0.2 * 2 ** min(self._away[sequence], 10), AWAY))
                return
            self._failures[sequence] += 1
            failures = self._failures[sequence]
            count("failed")
            _log.warning("event failed", delivery=failures, **about)
            if failures < MAX_DELIVER and not isinstance(problem, Unreadable):
                await message.nak(delay=BACKOFF[min(failures, len(BACKOFF)) - 1])
                return
            if not await bury(
                self._bus, f"{self._service}.{self._consumer.name}", self._durable, message, why
            ):
                await message.nak(delay=AWAY)
                return
            count("dead")
        else:
            count("handled")
        self._failures.pop(sequence, None)
        self._away.pop(sequence, None)
        await message.ack()

    def _handle(self, subject: str, headers: dict[str, str], data: bytes) -> None:
        event, handler = self._read(subject, headers, data)
        call = context.Call(request_id=headers.get("tongban-request", event.id), method=f"event {subject}")
        with (
            telemetry.span(f"handle {subject}", headers.get("traceparent", "")) as trace,
            context.serving(call),
        ):
            context.amend(traceparent=trace)
            began = time.monotonic()
            try:
                handler(event)
            except StopIteration as problem:
                # The one exception that no future carries: whoever awaits this handler would wait for ever.
                raise RuntimeError("StopIteration: an iterator had no next element") from problem
            took = round((time.monotonic() - began) * 1000, 1)
            _log.info("handled", consumer=self._durable, event_id=event.id, ms=took)

    def _read(
        self, subject: str, headers: dict[str, str], data: bytes
    ) -> tuple[Event, Callable[[Event], None]]:
        entry = self._consumer.find(subject)
        if entry is None:
            raise Unreadable(f"no handler for {subject}")
        kind, handler = entry
        try:
            event = Event(
                id=headers["ce-id"],
                subject=subject,
                service=headers.get("ce-source", "").rpartition("/")[2],
                actor=headers.get("tongban-actor", ""),
                time=datetime.fromisoformat(headers["ce-time"]),
                message=kind.FromString(data),
            )
        except (KeyError, ValueError, DecodeError) as problem:
            raise Unreadable(f"{type(problem).__name__}: {problem}") from problem
        return event, handler
