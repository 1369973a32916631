"""The intent of a save: noted in `pending` before it, told to the relay after it, and what it says.

If the process dies in between, the relay finds the intent and finishes. Nothing ever looks for unsent events by scanning records.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable

from chassis.errors import Unavailable
from chassis.store import Store

PENDING = "pending"
SLOW = 30.0  # seconds; half of what the relay waits for a save of which it has seen the intent only


class Intents:
    """The intents of one collection's saves."""

    def __init__(self, store: Store, name: str, wake: Callable[[str], None]) -> None:
        self._name = name
        self._pending = store.collection(PENDING)
        self._wake = wake

    def around(self, saves: dict[str, int], write: Callable[[], None]) -> None:
        """Do `write`, which gives these aggregates these revisions, with an intent for each of them noted before."""
        # The revision tells the relay whether the save has been: a record that has reached it holds the save, or has refused it.
        intents = [f"{self._name}/{key}/{revision}.{uuid.uuid4().hex}" for key, revision in saves.items()]
        began = time.time()
        noted = [{"_id": intent, "at": began} for intent in intents]
        if len(noted) == 1:
            self._pending.insert(noted[0])
        else:
            self._pending.insert_all(noted)
        try:
            write()
        except Unavailable:
            # It may have been written all the same: the relay finds out.
            raise
        except Exception:
            # Of one save nothing was written, so there is nothing to publish; of several some may have been: the relay finds out.
            if len(intents) == 1:
                self._pending.remove(intents[0])
            raise
        for intent in intents:
            if abs(time.time() - began) > SLOW:
                # A process that stood still between intent and save: the relay may have given the intent up meanwhile.
                self._pending.put({"_id": intent, "at": time.time()})
            self._wake(intent)


def aggregate_of(intent: str) -> tuple[str, str]:
    """Collection and id of the aggregate that an intent is about."""
    kind, _, rest = intent.partition("/")
    return kind, rest.rpartition("/")[0]


def target(intent: str) -> int:
    """The revision that the save behind an intent gives its aggregate; 0 when the intent does not say so."""
    number = intent.rpartition("/")[2].partition(".")[0]
    return int(number) if number.isdecimal() else 0
