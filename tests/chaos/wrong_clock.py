"""A process with another clock: `python -m tests.chaos.wrong_clock work KIND NAME MONGO NATS VAR` or `… tokens URL`.

Started with libfaketime before it (see test_clock.py). `work` is the real `work` of a service until SIGTERM; `tokens` verifies the
tokens that come line by line, and says for each what became of it.
"""

from __future__ import annotations

import asyncio
import dataclasses
import json
import select
import sys
import time
from pathlib import Path

from chassis import log
from chassis.errors import NotSignedIn
from chassis.identity import Verifier
from chassis.process import work
from chassis.settings import Settings
from tests.chaos.lives import LIVES


def _work(kind: str, name: str, mongo: str, nats: str, var: str) -> int:
    log.configure(name, "work")
    life = LIVES[kind]
    parts = life.running({"mongo": mongo, "nats": nats}, Path(var)).parts
    parts.settings = Settings(
        name, "work", "https://test.local", mongo, nats, "", "tongban", Path(var), Path(var)
    )
    return asyncio.run(work(dataclasses.replace(life.service, name=name), parts))


def _tokens(url: str) -> int:
    nowhere = Path("/nonexistent")
    verifier = Verifier(
        Settings("chaos", "test", "https://test.local", "", "", url, "tongban", nowhere, nowhere)
    )
    for token in sys.stdin:
        began = time.monotonic()
        try:
            said = verifier.verify(token.strip()).person
        except NotSignedIn as problem:
            said = problem.zh
        print(json.dumps([said, time.time(), time.monotonic() - began]), flush=True)
    return 0


# libfaketime reckons the end of a plain sleep by the false clock, and it then fails (EINVAL); waiting for nothing it leaves alone.
time.sleep = lambda seconds: select.select([], [], [], seconds) and None  # type: ignore[assignment]

if __name__ == "__main__":
    sys.exit({"work": _work, "tokens": _tokens}[sys.argv[1]](*sys.argv[2:]))
