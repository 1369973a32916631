"""Things that may happen once: a state, a ticket, a logout token."""

from __future__ import annotations

import hashlib
import time
import uuid

from chassis.store import Store
from chassis.sweeping import sweep


class Once:
    """Remembers what was used, over all processes."""

    def __init__(self, store: Store) -> None:
        self._used = store.collection("used")

    def first(self, name: str, seconds: float) -> bool:
        """Whether `name` is used for the first time. It is remembered for `seconds` at least."""
        mine = uuid.uuid4().hex
        key = hashlib.sha256(name.encode("utf-8", "replace")).hexdigest()
        return self._used.claim(key, mine, until=time.time() + seconds) == mine

    def sweep(self) -> int:
        """Forget what nobody can present any more; returns how many."""
        now = time.time()
        return sweep(self._used, lambda record: record["until"] < now)
