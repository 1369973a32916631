"""Which records came: each goes into the chain once, however often it comes, and one that never came is told."""

from __future__ import annotations

from collections import OrderedDict
from typing import Any


class Sources:
    """Which records are in the chain, by the numbers that their sources gave them: each is taken once, whenever it comes again.

    A source's numbers have no gap, so a number that never comes is a record that was lost, and that can be told as well.
    """

    FOREIGN = 5000  # ids of other systems that are remembered

    def __init__(self, kept: dict[str, Any] | None = None) -> None:
        kept = kept or {}
        self._upto: dict[str, int] = dict(kept.get("upto", {}))
        self._beyond: dict[str, set[int]] = {name: set(some) for name, some in kept.get("beyond", {}).items()}
        self._foreign: OrderedDict[str, None] = OrderedDict.fromkeys(kept.get("foreign", []))

    def is_new(self, identity: str) -> bool:
        """Whether no record with this id was added."""
        source, number = _numbered(identity)
        if not number:
            return identity not in self._foreign
        return number > self._upto.get(source, 0) and number not in self._beyond.get(source, ())

    def add(self, identity: str) -> None:
        """Note that this record is in the chain."""
        source, number = _numbered(identity)
        if not number:
            self._foreign[identity] = None
            while len(self._foreign) > self.FOREIGN:
                self._foreign.popitem(last=False)
            return
        upto, beyond = self._upto.get(source, 0), self._beyond.setdefault(source, set())
        beyond.add(number)
        while upto + 1 in beyond:
            upto += 1
            beyond.discard(upto)
        self._upto[source] = upto
        if not beyond:
            del self._beyond[source]

    def lost(self) -> dict[str, list[int]]:
        """Numbers that a source has given and that have not come, though later ones have."""
        return {
            source: [one for one in range(self._upto.get(source, 0) + 1, max(beyond)) if one not in beyond][
                :100
            ]
            for source, beyond in self._beyond.items()
        }

    def to_keep(self) -> dict[str, Any]:
        """For the next process."""
        beyond = {source: sorted(numbers) for source, numbers in self._beyond.items()}
        return {"upto": self._upto, "beyond": beyond, "foreign": list(self._foreign)}


def _numbered(identity: str) -> tuple[str, int]:
    """Source and number of an id; the number is 0 for what another system numbered."""
    source, _, number = identity.rpartition(".")
    own = bool(source) and ":" not in identity and number.isdecimal()
    return (source, int(number)) if own else (identity, 0)
