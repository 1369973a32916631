"""Whether a history is linearizable: the search of Wing and Gong with Lowe's memory of what was tried, one key at a time.

A history is linearizable when every operation can be given one moment between its begin and its end such that, in the order of
these moments, every answer is the one that the model gives. An operation whose answer nobody knows may have its effect at any
moment after its begin, or none at all.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

UNKNOWN = None  # as an answer


@dataclass(frozen=True)
class Operation:
    """One call of one client. `end` is infinite, and `answer` UNKNOWN, when none came."""

    begin: float
    end: float
    kind: str
    given: Any
    answer: Any

    @property
    def answered(self) -> bool:
        return not math.isinf(self.end)


# model(state, operation) → the state after it, or IMPOSSIBLE when it cannot have been answered so.
IMPOSSIBLE = object()
Model = Callable[[Hashable, Operation], Any]


def linearizable(history: Iterable[Operation], model: Model, start: Hashable) -> bool:
    """Whether such an order exists."""
    operations: Sequence[Operation] = sorted(history, key=lambda one: one.begin)
    wanted = sum(1 << number for number, one in enumerate(operations) if one.answered)
    tried: set[tuple[int, Hashable]] = set()
    stack: list[tuple[int, Hashable]] = [(0, start)]
    while stack:
        done, state = stack.pop()
        if done & wanted == wanted:
            return True
        steps = [(number, model(state, operations[number])) for number in _next(operations, done)]
        # What changes nothing and was answered rightly may as well come now: later it could only be in the way.
        idle = [number for number, after in steps if after == state and operations[number].answered]
        for number, after in [(idle[0], state)] if idle else steps:
            place = (done | 1 << number, after)
            if after is not IMPOSSIBLE and place not in tried:
                tried.add(place)
                stack.append(place)
    return False


def _next(operations: Sequence[Operation], done: int) -> list[int]:
    """The operations that may come first among those which are left: none of the others ended before they began."""
    found: list[int] = []
    earliest = math.inf
    for number, one in enumerate(operations):
        if done >> number & 1:
            continue
        if one.begin > earliest:
            break
        found.append(number)
        earliest = min(earliest, one.end)
    return found


def register(state: Any, done: Operation) -> Any:
    """A record under compare-and-set. State: None, or (revision, value). Given: the revision expected and the new value."""
    if done.kind == "read":
        return state if done.answer == state else IMPOSSIBLE
    if done.kind == "create":
        succeeds, after = state is None, (0, done.given)
    else:
        revision, value = done.given
        succeeds, after = state is not None and state[0] == revision, (revision + 1, value)
    if done.answer is not UNKNOWN and done.answer != succeeds:
        return IMPOSSIBLE
    return after if succeeds else state


def listing(state: Any, done: Operation) -> Any:
    """A list to which words are appended; each append answers with the list as it then is. State: a tuple of words."""
    if done.kind == "read":
        return state if done.answer == state else IMPOSSIBLE
    after = (*state, done.given)
    return after if done.answer in (UNKNOWN, after) else IMPOSSIBLE
