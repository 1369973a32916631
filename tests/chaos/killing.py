"""Killing engines while people are at work."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from deploy.local.stack import Stack
from tests.inprocess import eventually

NOTICED = 0.25  # so long the supervisor takes to see an end; a start before that would count as one after a failure, and wait


class Broken:
    """Kills an engine while the with-block runs."""

    def __init__(self, stack: Stack, name: str) -> None:
        self.stack, self.name = stack, name

    def __enter__(self) -> None:
        self.stack.kill(self.name)
        time.sleep(NOTICED)

    def __exit__(self, *_: object) -> None:
        self.stack.restart(self.name)


def kill_often(stack: Stack, name: str, times: int, done: Callable[[], int], *, seed: int) -> None:
    """kill -9, so many times, each after some dozens of further steps of the work, which `done` counts."""
    steps = random.Random(seed)
    for _ in range(times):
        wanted = done() + steps.randint(20, 80)
        eventually(lambda wanted=wanted: done() >= wanted, 60)
        with Broken(stack, name):
            pass


@contextmanager
def at_work(work: Callable[[int, threading.Event], None], workers: int) -> Iterator[None]:
    """work(number, stop) in so many threads until the with-block is over; what one of them raises comes through."""
    stop, problems = threading.Event(), []

    def guarded(number: int) -> None:
        try:
            work(number, stop)
        except BaseException as problem:  # noqa: BLE001 - it is raised again below
            problems.append(problem)

    threads = [threading.Thread(target=guarded, args=(number,)) for number in range(workers)]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        stop.set()
        for thread in threads:
            thread.join(90)
    assert not [thread for thread in threads if thread.is_alive()], "a writer hangs"
    if problems:
        raise problems[0]
