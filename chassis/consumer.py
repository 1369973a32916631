"""What a service listens to: its consumers, their handlers, and events as handlers get them. chassis.consuming does the rest.

A handler gets each event at least once and in any order; it must be idempotent by the event's id.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from google.protobuf.message import Message

from chassis.aggregate import Request


class Later(Exception):
    """Raised by a handler: deliver this event again after so many seconds; nothing is wrong."""

    def __init__(self, seconds: float) -> None:
        super().__init__(seconds)
        self.seconds = seconds


@dataclass(frozen=True)
class Event:
    """One event as a handler gets it."""

    id: str
    subject: str
    service: str  # the service that published it
    actor: str
    time: datetime
    message: Any

    def request(self, part: str = "") -> Request:
        """The idempotency key of this event's effect on an aggregate."""
        return Request.event(self.id, part)


@dataclass(frozen=True)
class Consumer:
    """What a service listens to.

    name: durable name, unique within the service; handlers: subject → (message class, handler). A subject may hold the wildcard
    `*`. Handlers are plain functions and run in a thread, one at a time; with at_once > 1 so many of them side by side, but
    one at a time and in order for events about the same thing. What an event is about says its first field. title: how the system
    administrator reads of it.
    """

    name: str
    handlers: dict[str, tuple[type[Message], Callable[[Event], None]]] = field(default_factory=dict)
    title: str = ""
    at_once: int = field(default=1, kw_only=True)

    def find(self, subject: str) -> tuple[type[Message], Callable[[Event], None]] | None:
        """Message class and handler for a subject."""
        parts = subject.split(".")
        for pattern, entry in self.handlers.items():
            wanted = pattern.split(".")
            if len(wanted) == len(parts) and all(w in ("*", p) for w, p in zip(wanted, parts, strict=True)):
                return entry
        return None
