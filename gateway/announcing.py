"""Tells everybody that a login has ended, and goes on until the broker has taken it in.

What is not told yet lies in the store, so that neither an outage of the broker nor the end of this process loses it.
"""

from __future__ import annotations

import contextlib
import threading
import time
from typing import Any

from chassis import loops
from chassis.ended import login_entry
from chassis.errors import Exists
from chassis.store import Store
from chassis.streams import ENDED, ENDED_SECONDS

AGAIN = 2.0  # seconds after which the broker is tried again


class Announcer:
    """The way out for ended logins, with a thread of its own."""

    def __init__(self, store: Store, bus: Any) -> None:
        self._untold = store.collection("untold")
        self._bus = bus
        self._wake = threading.Event()
        # It begins at once, for an earlier process may have left some.
        loops.in_thread(self.flush, None, AGAIN, trouble="ended login not told yet", wake=self._wake)

    def tell(self, login: str) -> None:
        """Tell it soon; returns once that is certain."""
        with contextlib.suppress(Exists):
            self._untold.insert({"_id": login, "revision": 1, "schema": 1, "at": time.time()})
        self._wake.set()

    def flush(self) -> None:
        """Hand over what is untold. Several processes may do so at the same time."""
        for record in list(self._untold.scan()):
            # After this time every token of that login has expired.
            if time.time() - record["at"] < ENDED_SECONDS:
                self._bus.put(ENDED, *login_entry(record["_id"]))
            self._untold.remove(record["_id"])
