"""Consumers in processes of their own: `python -m tests.chaos.dying MONGO NATS VAR`.

Reads one job per line from stdin: a service's kind and name, consumers, and whether the process shall kill itself (SIGKILL) after
the first effect, before the event is acknowledged. Answers "killed", or "at work" once the consumers are bound; these end with the
next line. Every job is a process of its own, forked from this one before anything connects.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from pathlib import Path
from typing import Any

from nats.aio.msg import Msg

from chassis import consuming as module
from chassis.bus import Bus
from chassis.consuming import Running
from chassis.settings import Settings
from tests.chaos.lives import LIVES
from tests.checks.crashing import die, ended

ACK_WAIT = 1.0  # seconds; the broker misses a dead consumer sooner than in a deployment


async def _die_instead(*_: Any, **__: Any) -> None:
    die()


def work(job: dict[str, Any], mongo: str, nats: str, var: Path, say: int) -> None:
    """One child: the consumers of one service, until it is killed."""
    life = LIVES[job["kind"]]
    running = life.running({"mongo": mongo, "nats": nats}, var)
    given = Settings(job["name"], "work", "https://test.local", mongo, nats, "", "tongban", var, var)
    running.parts.settings = given
    if job["dies"]:
        Msg.ack = Msg.ack_sync = _die_instead  # type: ignore[method-assign]
    module.ACK_WAIT = ACK_WAIT

    async def consume() -> None:
        bus = Bus(given)
        await bus.connect()
        wanted = [one for one in life.service.consumers(running.parts) if one.name in job["consumers"]]
        all_of_them = [Running(given.service, one, bus) for one in wanted]
        jobs = [asyncio.create_task(one.run()) for one in all_of_them]
        for one in all_of_them:
            await one.bound.wait()
        os.write(say, b"at work\n")
        await asyncio.gather(*jobs)

    asyncio.run(consume())


def main() -> None:
    mongo, nats, var = sys.argv[1:4]
    kept = 0
    for line in sys.stdin:
        if kept:
            os.kill(kept, signal.SIGKILL)
            ended(kept)
            kept = 0
        job = json.loads(line)
        if not job:
            print("ended", flush=True)
            continue
        read, write = os.pipe()
        pid = os.fork()
        if not pid:
            work(job, mongo, nats, Path(var), write)
            os._exit(0)
        os.close(write)
        with os.fdopen(read) as said:
            first = said.readline().strip()
        if job["dies"]:
            first = ended(pid)
        else:
            kept = pid
        print(first or "failed", flush=True)


if __name__ == "__main__":
    main()
