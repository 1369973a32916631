"""Every consumer of every service, killed between its effect and the acknowledgement: one effect."""

from __future__ import annotations

import dataclasses
import importlib
import json
import os
import subprocess
import sys

import pytest

from tests.chaos import forms
from tests.chaos.lives import LIVES
from tests.checks.stream import State, Stream
from tests.inprocess import eventually
from tests.rules import tree

pytestmark = [pytest.mark.integration, pytest.mark.timeout(300)]


@pytest.fixture
def processes(engines, tmp_path):
    """processes(job) → how the child of this job does; None ends the one that is at work."""
    env = {**os.environ, "PYTHONPATH": f"{tree.ROOT}:{tree.ROOT / 'build/gen'}"}
    command = [sys.executable, "-m", "tests.chaos.dying", engines["mongo"], engines["nats"], str(tmp_path)]
    child = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=env, text=True, cwd=tree.ROOT
    )

    def tell(job):
        child.stdin.write(json.dumps(job) + "\n")
        child.stdin.flush()
        while (line := child.stdout.readline().strip()) not in ("killed", "at work", "ended", "failed"):
            assert line, "the maker of processes ended"
        return line

    yield tell
    tell(None)
    child.stdin.close()
    child.wait(20)


def consumers_of(kind, parts):
    """What the service's own composition listens to."""
    return sorted(one.name for one in LIVES[kind].service.consumers(parts))


@pytest.mark.parametrize(
    "kind", [pytest.param(kind, marks=forms.long if kind == "documents" else ()) for kind in LIVES]
)
def test_killed_after_the_effect_and_before_the_acknowledgement(kind, engines, tmp_path, processes):
    """# check 47"""
    life = LIVES[kind]
    without = dataclasses.replace(life.service, consumers=lambda _parts: [])
    running = life.running(engines, tmp_path, without)
    with running.running(*life.stubs):
        name, names = running.settings.service, consumers_of(kind, running.parts)
        assert sorted(life.deeds) == names, "every consumer needs a deed in tests/chaos/lives.py"
        stream, state = Stream(running.settings), State(engines["mongo"], [name])

        def settled():
            eventually(lambda: not state.unsent(), 20)
            stream.settled([name])

        for consumer in names:
            job = {"kind": kind, "name": name}
            steps = life.deeds[consumer](running)
            for _ in steps:
                # What leads to the deed is taken in by everybody; the deed itself finds nobody at work.
                assert processes({**job, "consumers": names, "dies": False}) == "at work"
                settled()
                processes(None)
                before = state.hashes()
            assert processes({**job, "consumers": [consumer], "dies": True}) == "killed"
            eventually(lambda: not state.unsent(), 20)
            once, told = state.hashes(), len(stream.everything())
            assert set(effect(before, once)), f"{consumer} died before it had any effect"
            assert processes({**job, "consumers": [consumer], "dies": False}) == "at work"
            eventually(lambda consumer=consumer: f"{name}-{consumer}" not in stream.behind([name]), 20)
            eventually(lambda: not state.unsent(), 20)
            assert effect(once, state.hashes()) == [], f"{consumer}: the second delivery changed something"
            assert len(stream.everything()) == told, f"{consumer}: the second delivery published something"
            processes(None)
            print(f"check 47: {kind}-{consumer} killed between effect and acknowledgement: 1 effect")
        state.close()
        stream.close()


def effect(before, after):
    """The records that differ."""
    return sorted(name for name in before | after if before.get(name) != after.get(name))


def test_no_service_is_left_out():
    for service in tree.services():
        composed = importlib.import_module(f"services.{service}.__main__").SERVICE
        listens = composed.consumers is not type(composed).consumers
        assert service in LIVES or not listens, f"{service} listens: it belongs into tests/chaos/lives.py"
