"""The base of every aggregate: an id, a revision, and the events of the present change. Pure data, no I/O."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field
from typing import Any

from chassis.errors import InvalidInput

APPLIED = 200  # request ids remembered per aggregate
_NAMESPACE = uuid.UUID("5d0c9d2e-7f0b-5f43-9d65-2f6f0b1c7a11")


@dataclass(kw_only=True)
class Aggregate:
    """What is saved in one piece.

    applied: request or event id → digest of its content, so that a repetition is recognised;
    news: domain events of the present change, not saved: the repository turns them into the outbox.
    """

    id: str
    revision: int = 0
    applied: dict[str, str] = field(default_factory=dict)
    news: list[Any] = field(default_factory=list, repr=False, compare=False)

    def tell(self, event: Any) -> None:
        """Have `event` published once the change is saved."""
        self.news.append(event)


@dataclass(frozen=True)
class Request:
    """One mutating request: its idempotency key (already bound to the caller), its content's digest, the etag it gave."""

    key: str
    digest: str = ""
    etag: str = ""

    @staticmethod
    def event(event_id: str, part: str = "") -> Request:
        """The request that the handling of an event is; `part` tells several effects on one aggregate apart."""
        return Request(key=f"event:{event_id}{part}")

    def new_id(self, prefix: str = "") -> str:
        """An id for what this request creates: the same request gives the same id."""
        return prefix + uuid.uuid5(_NAMESPACE, self.key).hex

    def seen(self, aggregate: Aggregate) -> bool:
        """Whether the aggregate already holds this request's effect.

        Raises InvalidInput (REQUEST_ID_REUSED) when the key came with other content.
        """
        digest = aggregate.applied.get(self.key)
        if digest is None:
            return False
        if digest != self.digest:
            raise reused()
        return True

    def mark(self, aggregate: Aggregate) -> None:
        """Record in the aggregate that this request has had its effect."""
        aggregate.applied[self.key] = self.digest
        while len(aggregate.applied) > APPLIED:
            del aggregate.applied[next(iter(aggregate.applied))]


def reused() -> InvalidInput:
    """The refusal of a request id that came with other content."""
    return InvalidInput(
        "REQUEST_ID_REUSED", "该请求编号已用于另一项操作。", "This request id was used for other content."
    )
