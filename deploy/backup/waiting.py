"""Waiting for something, with an end to it."""

from __future__ import annotations

import time
from collections.abc import Callable

from deploy.local.say import Refusal


def until(true: Callable[[], bool], seconds: float, otherwise: str) -> None:
    """Return once `true` says so.

    Raises Refusal with the sentence `otherwise` after so many seconds.
    """
    end = time.monotonic() + seconds
    while not true():
        if time.monotonic() > end:
            raise Refusal(otherwise)
        time.sleep(0.005)
