"""What is remembered of requests whose effect lies outside of our records, and for how long."""

from __future__ import annotations

from types import SimpleNamespace

from chassis import clock
from gateway.tests.unit.fakes import FakeStore
from portal import answers, ending


def test_old_answers_are_forgotten_and_young_ones_kept():
    store, now = FakeStore(), clock.now().timestamp()
    for key, age in (("old", answers.KEPT + 60), ("young", answers.KEPT - 60), ("under way", 1)):
        store.collection("answers").insert({"_id": key, "holder": "h", "digest": "d", "begun": now - age})
    jars = SimpleNamespace(sweep=lambda: 0)
    ending._sweep(SimpleNamespace(jars=jars, chassis=SimpleNamespace(store=store)))
    assert {record["_id"] for record in store.collection("answers").scan()} == {"young", "under way"}
