"""Who has left stays out: at a process that heard of it, and at one that could not hear of it yet."""

from __future__ import annotations

import time

import pytest

from chassis import ended
from chassis.ended import Ended, login_entry, login_of, person_entry
from chassis.errors import Unavailable
from chassis.identity_types import Principal


class Bus:
    """A broker that is away until `answer` is called."""

    def watch(self, _bucket, on_entry, on_ready):
        self.on_entry, self.on_ready = on_entry, on_ready

    def answer(self, *entries):
        for entry in entries:
            self.on_entry(*entry)
        self.on_ready()


def principal(session="s1", person="p1", age=100.0):
    return Principal(person, session=session, issued=int(time.time() - age))


def test_an_entry_ends_one_login_or_one_person():
    """# check 7"""
    bus = Bus()
    known = Ended(bus)
    bus.answer(login_entry("s1"), person_entry("p2"), ("login.x", None))
    assert known.holds(principal())
    assert not known.holds(principal("s2"))
    assert known.holds(principal("s2", "p2"))
    assert not known.holds(principal("", "p1"))
    assert login_of(*login_entry("s/1 中")) == "s/1 中"
    assert login_of(*person_entry("p2")) == ""


def test_until_the_list_is_read_older_tokens_wait_and_younger_ones_pass():
    """# check 7: a process that was restarted while the broker was away."""
    bus = Bus()
    known = Ended(bus)
    with pytest.raises(Unavailable) as caught:
        known.insist_on_knowing(principal())
    assert caught.value.reason == "LOGIN_UNCERTAIN"
    known.insist_on_knowing(principal(age=-ended.SKEW - 2))
    known.insist_on_knowing(Principal("svc", service="tasks", issued=1))
    bus.answer()
    known.insist_on_knowing(principal())


def test_what_no_token_outlives_is_forgotten(monkeypatch):
    known, start = Ended(), time.monotonic()
    known.end_login("s1")
    monkeypatch.setattr(ended.time, "monotonic", lambda: start + ended.ENDED_SECONDS + 60)
    known.end_login("s2")
    assert not known.holds(principal())
    assert known.holds(principal("s2"))
