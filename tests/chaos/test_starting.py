"""Everything is started at once, in random order, and finds together by itself."""

from __future__ import annotations

import random
import time
from dataclasses import replace

import pytest

from deploy.local.stack import Stack
from tests.chaos import forms

pytestmark = [pytest.mark.e2e, pytest.mark.slow, pytest.mark.timeout(7200)]
WITHIN = 60.0  # seconds on a quiet machine
GENEROUS = 400.0


def at_once(dice):
    """What changes the order: nobody is started after anybody."""

    def adapt(specs):
        shuffled = [replace(spec, after=()) for spec in specs]
        dice.shuffle(shuffled)
        return shuffled

    return adapt


@forms.long
def test_everything_at_once_in_any_order(tmp_path):
    """# check 66"""
    dice, seconds, early = random.Random(66), [], []
    for _ in range(20):
        said: list[str] = []
        began = time.monotonic()
        # The first time on an empty folder, later on what the time before left.
        with Stack(
            tmp_path / "var", demo=False, seconds=GENEROUS, say=said.append, adapt=at_once(dice)
        ) as stack:
            seconds.append(time.monotonic() - began)
            assert set(stack.names) >= {"mongo", "nats", "keycloak", "edge", "gateway-web", "documents-work"}
        early += [line for line in said if "starting it again" in line]
    late = sum(one > WITHIN for one in seconds)
    print(
        f"check 66: {len(seconds)} starts at once in random order, ready after"
        f" {', '.join(f'{one:.0f}' for one in seconds)} s ({late} later than {WITHIN:g} s); {len(early)} tried again"
    )
