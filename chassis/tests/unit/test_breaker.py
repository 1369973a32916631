"""The breaker refuses quickly who is away, and uses again quickly who is back."""

from __future__ import annotations

import pytest

from chassis.breaker import FAILURES, PAUSE, SECONDS, TRIAL, Breaker


@pytest.fixture
def now():
    return [100.0]


@pytest.fixture
def breaker(now):
    return Breaker("other", lambda: now[0])


def fail(breaker, now, times=FAILURES, every=SECONDS / 2):
    for _ in range(times):
        assert breaker.admits()
        breaker.failed()
        now[0] += every


def test_some_failures_in_a_row_open_it(breaker, now):  # check 58
    fail(breaker, now, FAILURES - 1)
    assert breaker.admits()
    breaker.failed()
    assert breaker.open
    assert not breaker.admits()


def test_a_blip_does_not(breaker, now):
    fail(breaker, now, FAILURES * 3, every=SECONDS / (FAILURES * 4))
    assert not breaker.open


def test_a_success_in_between_begins_anew(breaker, now):
    fail(breaker, now, FAILURES - 1)
    breaker.succeeded()
    fail(breaker, now, FAILURES - 1)
    assert breaker.admits()
    assert not breaker.open


def test_one_tries_and_the_others_wait_for_its_end(breaker, now):
    fail(breaker, now)
    now[0] += PAUSE
    assert breaker.admits()
    assert not breaker.admits()
    breaker.failed()
    assert not breaker.admits()
    now[0] += PAUSE
    assert breaker.admits()
    breaker.succeeded()
    assert all(breaker.admits() for _ in range(10))


def test_a_trial_that_hangs_does_not_hide_that_the_callee_is_back(breaker, now):
    fail(breaker, now)
    now[0] += PAUSE
    assert breaker.admits()
    now[0] += TRIAL
    assert breaker.admits()
    breaker.succeeded()
    assert not breaker.open
