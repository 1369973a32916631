"""Short and full form of a drill: the short one runs in `make test`, the full one with TONGBAN_CHAOS=full."""

from __future__ import annotations

import os
from typing import TypeVar

import pytest

FULL = os.environ.get("TONGBAN_CHAOS") == "full"
T = TypeVar("T")
# On a drill that takes too long for `make test`.
long = pytest.mark.skipif(not FULL, reason="a long drill: TONGBAN_CHAOS=full")


def of(short: T, full: T) -> T:
    """What the form that runs wants."""
    return full if FULL else short
