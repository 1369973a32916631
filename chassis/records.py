"""What all records have in common: how a dataclass becomes one, and how one is saved while others change it too."""

from __future__ import annotations

import contextlib
import random
import time
from collections.abc import Iterator
from datetime import datetime

import cattrs

from chassis.errors import Conflict, Exists

ATTEMPTS = 60
PAUSE, LONGEST_PAUSE = 0.002, 0.1  # seconds


def converter() -> cattrs.Converter:
    """Dataclasses ↔ records. MongoDB keeps times as they are."""
    made = cattrs.Converter()
    made.register_structure_hook(datetime, lambda value, _: value)
    made.register_unstructure_hook(datetime, lambda value: value)
    return made


def attempts() -> Iterator[contextlib.AbstractContextManager[object]]:
    """The tries of one compare-and-set: read and change in the body of the loop, save and leave the loop in the with-block.

    The with-block takes a lost race (Conflict, Exists) for the reason to go on with the next try. When the loop ends by itself,
    others were always faster: raise errors.too_busy() then.
    """
    for lost in range(ATTEMPTS):
        yield contextlib.suppress(Conflict, Exists)
        # Losers of a race wait a random moment, longer the more often they lost.
        time.sleep(random.uniform(0, min(PAUSE * 2**lost, LONGEST_PAUSE)))  # noqa: S311
