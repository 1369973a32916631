"""Histories of compare-and-set and of appended lists, from several processes, while the database is killed: linearizable."""

from __future__ import annotations

import json
import math
import os
import random
import subprocess
import sys
import time
from collections import defaultdict

import pytest

from deploy.local.stack import Stack
from tests.chaos import forms
from tests.chaos.killing import Broken
from tests.chaos.linearizable import Operation, linearizable, listing, register
from tests.inprocess import eventually
from tests.rules import tree

SECONDS = forms.of(8.0, 60 * float(os.environ.get("TONGBAN_CHAOS_MINUTES", "5")))
PAUSE = forms.of((1.0, 2.0), (5.0, 15.0))  # seconds between two kills
CLIENTS = 6


def op(begin, end, kind, given=None, answer=None):
    return Operation(begin, end, kind, given, answer)


LOST = [
    op(0, 1, "create", "a", True),
    op(2, 3, "cas", (0, "b"), True),
    op(4, 5, "read", None, (0, "a")),
]
TWO_WINNERS = [
    op(0, 1, "create", "a", True),
    op(2, 5, "cas", (0, "b"), True),
    op(3, 6, "cas", (0, "c"), True),
]
FALSE_REFUSAL = [
    op(0, 1, "create", "a", True),
    op(2, 3, "cas", (0, "b"), False),
    op(4, 5, "read", None, (1, "b")),
]
BACKWARDS = [
    op(0, 1, "create", "a", True),
    op(2, 9, "cas", (0, "b"), True),
    op(3, 4, "read", None, (1, "b")),
    op(5, 6, "read", None, (0, "a")),
]
FORGOTTEN = [op(0, 1, "append", "x", ("x",)), op(2, 3, "append", "y", ("y",))]
TWICE = [op(0, 1, "append", "x", ("x",)), op(2, 3, "read", None, ("x", "x"))]
TORN = [op(0, 9, "append", "x", None), op(1, 2, "read", None, ("x",)), op(3, 4, "read", None, ())]


@pytest.mark.parametrize(
    ("history", "model", "start"),
    [(one, register, None) for one in (LOST, TWO_WINNERS, FALSE_REFUSAL, BACKWARDS)]
    + [(one, listing, ()) for one in (FORGOTTEN, TWICE, TORN)],
)
def test_the_checker_finds_what_is_not_linearizable(history, model, start):
    """# check 54: a checker that cannot fail would show nothing."""
    assert not linearizable(history, model, start)


def test_the_checker_takes_what_is():
    never = math.inf
    assert linearizable([], register, None)
    # An answer that never came: with an effect, late, and without any.
    for seen in ((1, "b"), (0, "a")):
        assert linearizable(
            [op(0, 1, "create", "a", True), op(2, never, "cas", (0, "b")), op(5, 6, "read", None, seen)],
            register,
            None,
        )
    # Overlapping calls in either order; and every prefix of a race among many is searched without end in sight of none.
    race = [op(0, 1, "create", "a", True)]
    race += [op(1 + number / 100, 3, "cas", (0, f"w{number}"), number == 7) for number in range(40)]
    assert linearizable([*race, op(4, 5, "read", None, (1, "w7"))], register, None)
    assert not linearizable([*race, op(4, 5, "read", None, (1, "w8"))], register, None)


def test_a_broken_store_would_be_seen():
    """The check of the check: histories of the kind that the clients write, spoilt in one place each, are refused."""
    fate = random.Random(54)
    for _ in range(50):
        history, revision, at = [op(0, 1, "create", "0", True)], 0, 2.0
        for number in range(1, 30):
            history.append(op(at, at + 1.5, "cas", (revision, str(number)), True))
            history.append(op(at + 2, at + 2.5, "read", None, (revision + 1, str(number))))
            revision, at = revision + 1, at + 3
        assert linearizable(history, register, None)
        place = fate.randrange(3, len(history))
        spoilt = history[place]
        answer = (spoilt.answer[0] - 1, "?") if spoilt.kind == "read" else False
        history[place] = op(spoilt.begin, spoilt.end, spoilt.kind, spoilt.given, answer)
        assert not linearizable(history, register, None)


@pytest.mark.integration
@pytest.mark.timeout(300 + 2 * SECONDS)
def test_histories_under_kills_are_linearizable(tmp_path):
    """# check 54: registers and lists, six processes, the database killed again and again."""
    with Stack(tmp_path / "own", engines=("mongo",), applications=False) as stack:
        histories, kills = record(stack, tmp_path)
    models = {"register": (register, None), "list": (listing, ())}
    bad = [name for name, history in histories.items() if not linearizable(history, *models[name[0]])]
    operations = sum(map(len, histories.values()))
    unknown = sum(not one.answered for history in histories.values() for one in history)
    won = sum(one.kind == "cas" and one.answer is True for history in histories.values() for one in history)
    refused = sum(
        one.kind == "cas" and one.answer is False for history in histories.values() for one in history
    )
    assert not bad, [(name, histories[name]) for name in bad[:2]]
    assert kills
    met = sum(one.end - one.begin > 0.5 for history in histories.values() for one in history)
    assert met, "the kills met nobody at work"
    assert won, "nobody won"
    assert refused, "nobody competed"
    print(
        f"check 54: {len(histories)} histories, {operations} operations of {CLIENTS} processes in {SECONDS:.0f} s with"
        f" {kills} x kill -9 ({met} met at work, {unknown} without an answer, {won} compare-and-sets won, {refused} refused): all linearizable"
    )


def record(stack, folder):
    """Let the clients work and the database die; returns {(what, key): history} and the number of kills."""
    env = {**os.environ, "PYTHONPATH": f"{tree.ROOT}:{tree.ROOT / 'build/gen'}"}
    command = [sys.executable, "-m", "tests.chaos.clients", stack.env["TONGBAN_MONGO_URI"], "", "histories"]
    paths = [folder / f"client{number}" for number in range(CLIENTS)]
    children = []
    for number, path in enumerate(paths):
        with path.open("wb") as out:
            children.append(
                subprocess.Popen(
                    [*command, str(number), str(folder)],
                    stdin=subprocess.PIPE,
                    stdout=out,
                    env=env,
                    cwd=tree.ROOT,
                )
            )
    eventually(lambda: all(path.stat().st_size for path in paths), 120)
    end, kills, moments = time.monotonic() + SECONDS, 0, random.Random(54)
    while time.monotonic() < end:
        time.sleep(moments.uniform(*PAUSE))
        with Broken(stack, "mongo"):
            kills += 1
    time.sleep(1)
    for child in children:
        child.stdin.close()
    assert [child.wait(120) for child in children] == [0] * CLIENTS
    found = defaultdict(list)
    for path in paths:
        for line in path.read_text().splitlines():
            what, key, kind, given, begin, ended, answer = json.loads(line)
            found[what, key].append(
                Operation(begin, math.inf if ended is None else ended, kind, fixed(given), fixed(answer))
            )
    return found, kills


def fixed(value):
    """Lists are tuples once they have gone through JSON and back."""
    return tuple(value) if isinstance(value, list) else value
