"""Whether all replicas of the streams hold the same messages.

The brokers agree on the order of messages, not on what each of them has on its disk by now: a bit that turned there is seen by
nobody until that broker leads, and then what it holds is taken for the truth. So every broker's own copy is read and the copies
are compared by the digests of their messages. A direct read will not do, for whichever broker is free answers it; but a consumer
without replicas lives on one broker, says on which, and reads what lies there.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
from dataclasses import dataclass, field
from typing import Any

import nats
from nats.errors import Error as NatsError
from nats.errors import TimeoutError as NoAnswer
from nats.js import JetStreamContext
from nats.js.api import AckPolicy, ConsumerConfig, DeliverPolicy, StreamInfo

BATCH = 500  # messages asked for at once
SECONDS = 5.0  # without a message, and the broker cannot read any further
TRIES = 60  # consumers made until one of them lives on the broker that is wanted
PAUSE = 0.1  # seconds before what was refused for the moment is asked again
SETTLING = 2.0  # seconds; a copy that is only a little behind has it after that


@dataclass
class Copy:
    """What one broker holds of a stream: sequence → digest of the message."""

    digests: dict[int, str] = field(default_factory=dict)

    def add(self, sequence: int, subject: str, headers: dict[str, str], data: bytes) -> None:
        """Take one message in."""
        content = json.dumps([subject, sorted(headers.items())]).encode() + b"\0" + data
        self.digests[sequence] = hashlib.sha256(content).hexdigest()

    @property
    def root(self) -> str:
        """One digest of everything."""
        return hashlib.sha256(repr(sorted(self.digests.items())).encode()).hexdigest()


@dataclass(frozen=True)
class Comparison:
    """A stream's copies. `different`: sequence → broker → digest, or '' where it cannot be read; `silent`: who did not answer."""

    stream: str
    copies: dict[str, Copy]
    different: dict[int, dict[str, str]]
    silent: tuple[str, ...]

    @property
    def equal(self) -> bool:
        """Whether every broker that should hold a copy does, and all are the same."""
        return not self.different and not self.silent

    @property
    def suspects(self) -> list[str]:
        """The brokers that stand alone against the others, or were silent."""
        alone = set(self.silent)
        for digests in self.different.values():
            values = list(digests.values())
            alone |= {broker for broker, digest in digests.items() if values.count(digest) * 2 < len(values)}
        return sorted(alone)


async def compare(urls: list[str]) -> list[Comparison]:
    """Compare every stream that has more than one replica. Raises what the client library raises when no broker answers."""
    client = await nats.connect(urls, connect_timeout=3, max_reconnect_attempts=3)
    try:
        js = client.jetstream(timeout=5)
        streams = [info for info in await js.streams_info() if (info.config.num_replicas or 1) > 1]
        return [await _stream(js, info) for info in streams]
    finally:
        await client.close()


async def _stream(js: JetStreamContext, info: StreamInfo) -> Comparison:
    name, last = str(info.config.name), info.state.last_seq
    wanted = (
        [str(info.cluster.leader), *(str(one.name) for one in info.cluster.replicas or ())]
        if info.cluster
        else []
    )
    copies, silent = {}, []
    for broker in wanted:
        copy = await _copy(js, name, broker, last)
        if copy is None:
            silent.append(broker)
        else:
            copies[broker] = copy
    different = _different(copies)
    if different:
        # A copy may be a moment behind, or a message have been deleted between two reads: what differs is read once more.
        await asyncio.sleep(SETTLING)
        for broker, copy in copies.items():
            again = await _copy(js, name, broker, last, min(different))
            for sequence in different:
                copy.digests.pop(sequence, None)
                if again and sequence in again.digests:
                    copy.digests[sequence] = again.digests[sequence]
        different = _different(copies)
    return Comparison(name, copies, different, tuple(sorted(silent)))


def _different(copies: dict[str, Copy]) -> dict[int, dict[str, str]]:
    sequences = {sequence for copy in copies.values() for sequence in copy.digests}
    held = {
        sequence: {broker: copy.digests.get(sequence, "") for broker, copy in copies.items()}
        for sequence in sorted(sequences)
    }
    return {sequence: digests for sequence, digests in held.items() if len(set(digests.values())) > 1}


async def _copy(js: JetStreamContext, stream: str, broker: str, last: int, first: int = 1) -> Copy | None:
    """This broker's own messages from first to last; None when it does not answer. What it cannot read, it does not have."""
    copy, at = Copy(), first
    while at <= last:
        consumer = await _consumer_on(js, stream, broker, at)
        if consumer is None:
            return None
        reached = await _read(js, stream, consumer, copy, last)
        # Should it stop at a message that it cannot read, the ones behind it are read by a consumer that begins there.
        at = max(reached, at) + 1
        await js.delete_consumer(stream, consumer)
    return copy


async def _consumer_on(js: JetStreamContext, stream: str, broker: str, first: int) -> str | None:
    """The name of a consumer that lives on this broker and begins at `first`. Where one is put, the cluster decides by lot."""
    config = ConsumerConfig(
        deliver_policy=DeliverPolicy.BY_START_SEQUENCE, opt_start_seq=first, ack_policy=AckPolicy.NONE, num_replicas=1,
        mem_storage=True, inactive_threshold=60,
    )  # fmt: skip
    for _ in range(TRIES):
        try:
            made = await js.add_consumer(stream, config)
        except (NatsError, NoAnswer):
            await asyncio.sleep(PAUSE)
            continue
        if made.cluster and made.cluster.leader == broker:
            return made.name
        await js.delete_consumer(stream, made.name)
    return None


async def _read(js: JetStreamContext, stream: str, consumer: str, copy: Copy, last: int) -> int:
    """Read until `last` or until nothing more comes; returns the sequence that was reached."""
    reached, patience = 0, TRIES
    subscription: Any = await js.pull_subscribe_bind(durable=consumer, stream=stream)
    try:
        while reached < last:
            try:
                messages = await subscription.fetch(BATCH, timeout=SECONDS)
            except NoAnswer:
                # Nothing is left, or it cannot be read.
                info = await js.consumer_info(stream, consumer)
                return reached if info.num_pending else last
            except NatsError:
                # A consumer that was only just made is not known everywhere yet.
                patience -= 1
                if not patience:
                    raise
                await asyncio.sleep(PAUSE)
                continue
            for message in messages:
                reached = message.metadata.sequence.stream
                if reached <= last:
                    copy.add(reached, message.subject, dict(message.headers or {}), message.data)
            if messages and not messages[-1].metadata.num_pending:
                return last
        return reached
    finally:
        await subscription.unsubscribe()
