"""How many calls may wait for others at once, in this process.

The same threads do other work: in the gateway they answer the edge's questions about sessions, in the portal they serve the
home page. If calls to one slow service could take all of them, everything would stand still; so calls have a limit for each
unit and one together, and whoever comes too many is told to come back.
"""

from __future__ import annotations

import contextlib
import threading
from collections import Counter
from collections.abc import Iterator
from typing import Any

from chassis.errors import Unavailable


class Places:
    """`total` places, of which one unit may take `per_unit`; a full unit is waited for up to `patience` seconds."""

    def __init__(self, total: int, per_unit: int, patience: float = 0.0) -> None:
        self._total = total
        self._per_unit = per_unit
        self._patience = patience
        self._taken: Counter[str] = Counter()
        self._waiting = 0
        self._change = threading.Condition()

    @contextlib.contextmanager
    def one(self, unit: str) -> Iterator[None]:
        """A place for the time of the with-block.

        Raises Unavailable when there is none.
        """
        self.take(unit)
        try:
            yield
        finally:
            self.give_back(unit)

    def held(self, unit: str, answers: Iterator[Any]) -> Iterator[Any]:
        """`answers`, with a place taken at once and given back when they end or are no longer wanted."""
        self.take(unit)

        def pieces() -> Iterator[Any]:
            try:
                yield from answers
            finally:
                self.give_back(unit)

        return pieces()

    def take(self, unit: str) -> None:
        """Take a place, which `give_back` returns. Raises Unavailable when there is none."""
        with self._change:
            # Who waits holds a thread as well.
            if self._taken.total() + self._waiting >= self._total:
                raise _busy()
            self._waiting += 1
            try:
                if not self._change.wait_for(lambda: self._taken[unit] < self._per_unit, self._patience):
                    raise _busy()
            finally:
                self._waiting -= 1
            self._taken[unit] += 1

    def give_back(self, unit: str) -> None:
        """Return a place that was taken."""
        with self._change:
            self._taken[unit] -= 1
            self._change.notify_all()


def _busy() -> Unavailable:
    return Unavailable("BUSY", "系统繁忙，请稍后再试。", "Too many calls are waiting; try again later.")
