"""What the audit's code stands on, made out of the chassis' parts."""

from __future__ import annotations

from typing import Any

from chassis.errors import Unavailable
from chassis.parts import Parts
from chassis.streams import AUDIT
from services.audit import signing, witness
from services.audit.events import Taking
from services.audit.keeper import Keeper
from services.audit.model.chain import Checkpoint
from services.audit.registry import Indexer
from services.audit.repository import Chain, Writer
from services.audit.room import ReadingRoom
from services.audit.signing import Signer


def chain_of(parts: Parts) -> Chain:
    """The chain, for reading."""
    return Chain(parts.settings.own_var / "chain")


def signer_of(parts: Parts) -> Signer:
    """Signs with this deployment's key."""
    return Signer(parts.settings.secret(signing.SECRET))


def room_of(parts: Parts) -> ReadingRoom:
    """What `serve` answers out of."""
    return ReadingRoom(
        parts.settings.own_var, lambda: signer_of(parts), parts.directory, lambda: last_position(parts),
        lambda: witnessed(parts),
    )  # fmt: skip


def last_position(parts: Parts) -> int:
    """How many messages the stream was given, -1 while it does not answer."""
    try:
        return (
            int(parts.bus.run(parts.bus.bus.js.stream_info(AUDIT), 2).state.last_seq) if parts.bus.up else -1
        )
    except Unavailable:
        return -1


def witnessed(parts: Parts) -> list[Checkpoint]:
    """All that the witness knows. Raises Unavailable while the broker does not answer."""
    found: list[Checkpoint] = parts.bus.run(witness.in_bucket(parts.bus.bus), 10)
    return [*found, *witness.in_folder()]


async def take(parts: Parts) -> None:
    """The job of `work`: take the stream into the chain, for ever. Its own beginning and end are on record."""
    chain = Writer(parts.settings.own_var / "chain")
    indexer = Indexer(parts.settings.own_var, chain)
    try:
        keeper = Keeper(chain, signer_of(parts))
        indexer.open()
        more: dict[str, Any] = {"after": keeper.kept, "head": keeper.number}
        if chain.cut:
            more["cut_bytes"] = chain.cut
        parts.audit.record("AuditStarted", **more)
        try:
            await Taking(parts.settings, keeper, chain, indexer).run()
        finally:
            keeper.note()
            parts.audit.record("AuditStopped", head=keeper.number)
    finally:
        indexer.close()
        chain.close()
