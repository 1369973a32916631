"""What was found out about the platform. None stands for what could not be found out."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime


@dataclass(frozen=True)
class Process:
    """One process of the platform's own: what it says of itself, and what the supervisor says of it, where there is one."""

    unit: str
    unit_name: str
    process: str
    figures: dict[str, float] | None  # None: it does not answer
    state: str = ""  # the supervisor's word; '' without one
    since: datetime | None = None
    restarts: int = 0
    reason: str = ""

    def figure(self, name: str) -> float | None:
        """One of its figures."""
        return (self.figures or {}).get(name)


@dataclass(frozen=True)
class Engine:
    """One engine; `up` is None when nobody has said where to ask."""

    engine: str
    up: bool | None
    version: str = ""
    detail: str = ""
    state: str = ""


@dataclass(frozen=True)
class Consumer:
    """What one consumer has before it. `done` is the stream's number up to which everything is handled."""

    durable: str
    title: str
    pending: int
    unacknowledged: int
    redelivered: int
    done: int
    subjects: tuple[str, ...] = ()
    oldest: datetime | None = None

    @property
    def waiting(self) -> int:
        """Events of which it has not said that they are done."""
        return self.pending + self.unacknowledged


@dataclass(frozen=True)
class Broker:
    """What the broker tells of its streams: bytes held and allowed, by stream; and of the consumers."""

    version: str
    bytes: dict[str, int]
    most: dict[str, int]
    dead: int
    consumers: tuple[Consumer, ...]


@dataclass(frozen=True)
class Backup:
    """The last backup that succeeded; `lost` are places where its archive is not any more."""

    time: datetime
    size: int
    verified: datetime | None
    places: tuple[str, ...]
    lost: tuple[str, ...] = ()


@dataclass(frozen=True)
class Facts:
    """Everything at one moment."""

    time: datetime
    processes: tuple[Process, ...] = ()
    engines: tuple[Engine, ...] = ()
    broker: Broker | None = None
    disk_free: int | None = None
    disk_size: int = 0
    backup: Backup | None = None
    certificate_ends: datetime | None = None
    unit_names: dict[str, str] = field(default_factory=dict)
