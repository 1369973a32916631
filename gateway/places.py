"""How many calls may wait for services at once, in this process.

The same threads answer the edge's questions about sessions. If calls to one slow service could take all of
them, every page of every service would stand still; so calls have a limit for each unit and one together, and
whoever comes too many is told to come back.
"""

from __future__ import annotations

import contextlib
import threading
from collections import Counter
from collections.abc import Iterator
from typing import Any

from chassis.errors import Unavailable


class Places:
    """`total` places, of which one unit may take `per_unit`."""

    def __init__(self, total: int, per_unit: int) -> None:
        self._total = total
        self._per_unit = per_unit
        self._taken: Counter[str] = Counter()
        self._lock = threading.Lock()

    @contextlib.contextmanager
    def one(self, unit: str) -> Iterator[None]:
        """A place for the time of the with-block.

        Raises Unavailable when there is none.
        """
        self._take(unit)
        try:
            yield
        finally:
            self._give_back(unit)

    def held(self, unit: str, answers: Iterator[Any]) -> Iterator[Any]:
        """`answers`, with a place taken at once and given back when they end or are no longer wanted."""
        self._take(unit)

        def pieces() -> Iterator[Any]:
            try:
                yield from answers
            finally:
                self._give_back(unit)

        return pieces()

    def _take(self, unit: str) -> None:
        with self._lock:
            if self._taken[unit] >= self._per_unit or self._taken.total() >= self._total:
                raise Unavailable(
                    "BUSY", "系统繁忙，请稍后再试。", "Too many calls are waiting; try again later."
                )
            self._taken[unit] += 1

    def _give_back(self, unit: str) -> None:
        with self._lock:
            self._taken[unit] -= 1
