"""What the operator reads: progress lines with their seconds, and refusals of one sentence."""

import sys
import threading
import time
from collections.abc import Callable


class Refusal(Exception):
    """Something the operator can put right. Its text is one sentence that says what to do."""


_printing = threading.Lock()


def line(text: str) -> None:
    """Print one whole line at once, whichever thread it comes from."""
    with _printing:
        print(text, flush=True)


class Clock:
    """Seconds since a start, and lines that carry them."""

    def __init__(self) -> None:
        self._start = time.monotonic()

    @property
    def seconds(self) -> float:
        return time.monotonic() - self._start

    def line(self, text: str) -> None:
        line(f"{self.seconds:6.1f} s  {text}")


def guarded(main: Callable[[], int]) -> None:
    """Run a program's `main`: a Refusal becomes its sentence and exit status 1, Ctrl-C becomes 130."""
    try:
        sys.exit(main())
    except Refusal as refusal:
        print(refusal, file=sys.stderr, flush=True)
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)
