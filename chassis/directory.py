"""Names of units and people, kept in memory by watching the key-value bucket `directory`. No call goes out for a name."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

from tongban.portal.v1 import directory_pb2 as pb

from chassis import metrics
from chassis.bus_thread import BusThread
from chassis.errors import Unavailable

BUCKET = "directory"


class Directory:
    """A copy of the directory that follows every change.

    Until it has been filled for the first time nobody can say who is not there: what would decide by that raises Unavailable.
    Without a bus it is what `on_entry` was told.
    """

    def __init__(self, bus: BusThread | None = None) -> None:
        self._followed = bus is not None
        self._units: dict[str, pb.Unit] = {}
        self._people: dict[str, pb.Person] = {}
        self.ready = threading.Event()
        self._told = 0.0  # when the bucket last told something, as time.time()
        if bus is not None:
            metrics.watch(
                "tongban_directory_entries", "Units and people this process knows",
                lambda: {"unit": len(self._units), "person": len(self._people)}, "kind",
            )  # fmt: skip
            metrics.watch(
                "tongban_directory_age_seconds", "Seconds since the directory told something",
                lambda: time.time() - self._told if self._told else None,
            )  # fmt: skip
            bus.watch(BUCKET, self.on_entry, self.ready.set)

    def on_entry(self, key: str, value: bytes | None) -> None:
        """Take in one entry: `unit.<id>` or `person.<id>`; None removes it."""
        self._told = time.time()
        kind, _, name = key.partition(".")
        if kind == "unit":
            if value is None:
                self._units.pop(name, None)
            else:
                self._units[name] = pb.Unit.FromString(value)
        elif kind == "person":
            if value is None:
                self._people.pop(name, None)
            else:
                self._people[name] = pb.Person.FromString(value)

    def unit(self, unit: str) -> pb.Unit | None:
        """One unit, or None."""
        self._insist()
        return self._units.get(unit)

    def person(self, person: str) -> pb.Person | None:
        """One person, or None."""
        self._insist()
        return self._people.get(person)

    def unit_name(self, unit: str) -> str:
        """The unit's full name; never an id."""
        found = self._units.get(unit)
        return found.name if found else "（已撤销单位）"

    def person_name(self, person: str) -> str:
        """The person's name; never an id; '系统' for what the system did."""
        if not person:
            return "系统"
        found = self._people.get(person)
        return found.name if found else "（已注销人员）"

    def units(self) -> list[pb.Unit]:
        """All units in their order."""
        return sorted(self._units.values(), key=lambda unit: (unit.order, unit.unit))

    def people(self) -> list[pb.Person]:
        """All people in their order."""
        return sorted(self._people.values(), key=lambda person: (person.order, person.username))

    def children(self, unit: str) -> list[pb.Unit]:
        """The units directly below."""
        return [child for child in self.units() if child.parent == unit]

    def organisation(self, unit: str) -> str:
        """The organisation that a unit is, or belongs to; '' when unknown."""
        for step in self.upward(unit):
            if step.kind == "organisation":
                return step.unit
        return ""

    def upward(self, unit: str) -> Iterator[pb.Unit]:
        """The unit and everything above it, nearest first."""
        self._insist()
        seen: set[str] = set()
        while unit and unit not in seen:
            seen.add(unit)
            found = self._units.get(unit)
            if found is None:
                return
            yield found
            unit = found.parent

    def holders(self, post: str) -> list[pb.Person]:
        """Who holds a post "<unit>:<role>" and is not disabled; every post in a unit makes one its member."""
        self._insist()
        unit, _, role = post.partition(":")
        return [
            person
            for person in self.people()
            if not person.disabled
            and any(
                held == post or (role == "member" and held.partition(":")[0] == unit) for held in person.posts
            )
        ]

    def answering(self, token: str) -> str | None:
        """Who answers for `p:<person>` or `u:<unit>`: the person, or the unit's registrars.

        '' for a unit that has no registrar; None for whom the directory does not know, or who holds no post any more.
        """
        kind, _, key = token.partition(":")
        person = self.person(key) if kind == "p" else None
        if person is not None and not person.disabled and person.posts:
            return token
        if kind == "u" and self.unit(key) is not None:
            return f"u:{key}:registrar" if self.holders(f"{key}:registrar") else ""
        return None

    def _insist(self) -> None:
        if self._followed and not self.ready.is_set():
            raise Unavailable(
                "DIRECTORY_UNAVAILABLE",
                "单位和人员目录暂时不可用，请稍后再试。",
                "The directory is not there yet; try again later.",
            )
