"""A circuit breaker: who is known to be away is not waited for again and again.

Closed, calls pass. After FAILURES in a row, over at least SECONDS, it opens: calls are refused at once for PAUSE. Then one call
may try; if it succeeds everything passes again, else the next one tries after another PAUSE. The pause never grows, so that a
callee that is back is used again within seconds.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from chassis import log

FAILURES = 5
SECONDS = 1.0
PAUSE = 0.5
TRIAL = 2.0  # a trial that has not ended after so long does not keep others from trying
_log = log.get(__name__)


class Breaker:
    """Knows whether one callee is away. Safe for many threads."""

    def __init__(self, callee: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._callee = callee
        self._clock = clock
        self._lock = threading.Lock()
        self._failures = 0
        self._first = 0.0
        self._again: float | None = None  # None: closed; else when the next call may try

    @property
    def open(self) -> bool:
        """Whether calls are refused now, but for one that tries."""
        return self._again is not None

    def admits(self) -> bool:
        """Whether a call may be made now. One that may has to be reported by `succeeded` or `failed`."""
        if self._again is None:
            return True
        with self._lock:
            now = self._clock()
            if self._again is None or now >= self._again:
                if self._again is not None:
                    self._again = now + TRIAL
                return True
            return False

    def succeeded(self) -> None:
        """The callee answered, whatever it said."""
        if not self._failures and self._again is None:
            return
        with self._lock:
            was_open, self._failures, self._again = self._again is not None, 0, None
        if was_open:
            _log.info("callee back", callee=self._callee)

    def failed(self) -> None:
        """The callee did not answer."""
        with self._lock:
            now = self._clock()
            if not self._failures:
                self._first = now
            self._failures += 1
            opens = self._failures >= FAILURES and now - self._first >= SECONDS
            was_open = self._again is not None
            if was_open or opens:
                self._again = now + PAUSE
        if opens and not was_open:
            _log.warning("callee away", callee=self._callee)
