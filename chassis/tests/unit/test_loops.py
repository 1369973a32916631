"""Background jobs outlive whatever one turn of them raises, and the log has it."""

from __future__ import annotations

import asyncio
import threading

import pytest

from chassis import loops
from chassis.errors import away
from tests.inprocess import eventually


@pytest.fixture
def lines(monkeypatch):
    """What was logged: (level, line, the exception whose trace it shows)."""
    found = []

    class Lines:
        def __getattr__(self, level):
            return lambda event, exc_info=None, **_: found.append((level, event, type(exc_info)))

    monkeypatch.setattr(loops, "_log", Lines())
    return found


class Job:
    """Raises these one after the other, and then goes well."""

    def __init__(self, *problems):
        self.problems, self.turns = list(problems), 0

    def __call__(self):
        self.turns += 1
        if self.problems:
            raise self.problems.pop(0)

    async def awaited(self):
        self()


PROBLEMS = (away(), away(), ZeroDivisionError("ours"), LookupError("theirs"))


def test_a_task_goes_on_whatever_its_job_raises(lines):
    job = Job(*PROBLEMS)

    async def told():
        going = asyncio.create_task(
            loops.for_ever(job.awaited, 0.001, 0.001, trouble="job waits", outages=(LookupError,))
        )
        while job.turns < 6:  # noqa: ASYNC110 - the job tells it to nobody
            await asyncio.sleep(0.001)
        assert not going.done()
        going.cancel()
        with pytest.raises(asyncio.CancelledError):
            await going

    asyncio.run(told())
    # The outage that came twice is told once.
    nothing = type(None)
    assert lines == [
        ("warning", "job waits", nothing), ("error", "job waits", ZeroDivisionError), ("warning", "job waits", nothing),
        ("info", "goes on", nothing),
    ]  # fmt: skip


def test_a_thread_goes_on_whatever_its_job_raises(lines):
    job = Job(*PROBLEMS[:3])
    thread = loops.in_thread(job, 0.001, 0.001, trouble="job waits")
    eventually(lambda: job.turns > 5)
    assert thread.is_alive()
    assert thread.daemon
    assert [(level, raised) for level, _, raised in lines][1:2] == [("error", ZeroDivisionError)]
    assert [level for level, _, _ in lines] == ["warning", "error", "info"]


def test_a_thread_without_a_time_of_its_own_waits_to_be_called():
    job, wake = Job(), threading.Event()
    loops.in_thread(job, None, trouble="job waits", wake=wake)
    eventually(lambda: job.turns == 1)
    for turns in (2, 3):
        wake.set()
        eventually(lambda turns=turns: job.turns == turns)
