"""Jobs that are done again and again for as long as the process lives, as a task or in a thread of their own.

Nobody waits for such a job, so nothing that it raises may end it: the log has it, and after a pause comes the next turn. The same
trouble in a row is told once, and its end as well. What ends such tasks is `end_all`.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable
from typing import Any

from chassis import log
from chassis.errors import TongbanError

AGAIN = 10.0  # seconds after which a job that failed is tried again, unless it says another time
# What an outage of something needed looks like; whatever else is raised is a fault of ours and leaves its trace in the log.
OUTAGES = (TongbanError, OSError)
_log = log.get(__name__)


class _Turns:
    """What became of the turns of one job."""

    def __init__(self, trouble: str, outages: tuple[type[Exception], ...]) -> None:
        self._trouble = trouble
        self._outages = (*OUTAGES, *outages)
        self._told: tuple[object, ...] = ()

    def failed(self, problem: Exception) -> None:
        kind = (type(problem), getattr(problem, "reason", ""))
        if kind == self._told:
            return
        self._told = kind
        if isinstance(problem, self._outages):
            _log.warning(self._trouble, problem=str(problem) or type(problem).__name__)
        else:
            _log.error(self._trouble, exc_info=problem)

    def went_well(self) -> None:
        if self._told:
            _log.info("goes on", after=self._trouble)
        self._told = ()


async def for_ever(
    job: Callable[[], Awaitable[object]],
    every: float,
    again: float = AGAIN,
    *,
    trouble: str,
    outages: tuple[type[Exception], ...] = (),
) -> None:
    """Do `job`, pause for `every` seconds (`again` when it failed), and so on until this is cancelled.

    trouble: the line in the log when it fails; outages: further exceptions that are nobody's fault here.
    """
    turns = _Turns(trouble, outages)
    while True:
        pause = every
        try:
            await job()
        except Exception as problem:  # noqa: BLE001 - see the top
            turns.failed(problem)
            pause = again
        else:
            turns.went_well()
        await asyncio.sleep(pause)


def in_thread(
    job: Callable[[], object],
    every: float | None,
    again: float = AGAIN,
    *,
    trouble: str,
    wake: threading.Event | None = None,
) -> threading.Thread:
    """The same in a thread, which holds back no end of the process.

    wake: set, it begins the next turn before its time, but not that of a job which failed. every=None: only then is there one.
    """
    called, never = wake or threading.Event(), threading.Event()
    turns = _Turns(trouble, ())

    def run() -> None:
        while True:
            # Before the job, which so sees everything that is there when it is called during it.
            called.clear()
            try:
                job()
            except Exception as problem:  # noqa: BLE001 - see the top
                turns.failed(problem)
                never.wait(again)
            else:
                turns.went_well()
                called.wait(every)

    thread = threading.Thread(target=run, name=trouble, daemon=True)
    thread.start()
    return thread


async def end_all(tasks: list[asyncio.Task[Any]]) -> None:
    """Cancel tasks and wait until they are over; again and again, since a library's wait_for may swallow a cancellation."""
    left = {task for task in tasks if not task.done()}
    while left:
        for task in left:
            task.cancel()
        _, left = await asyncio.wait(left, timeout=0.5)
