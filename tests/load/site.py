"""The whole platform for the bench, people signed in at it, and the tools that load it."""

from __future__ import annotations

import contextlib
import os
import re
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from deploy.demo.acting import People
from deploy.demo.organisation import SIZES, district
from deploy.local.probes import listens
from deploy.local.stack import Stack
from tests.checks.browser import Browser
from tests.checks.platform import settings_of
from tests.load.measuring import Servers

ROOT = Path(__file__).parents[2]
# What limits one person or address is off: the bench is one address, and asks for more than any person may.
LIFTED = {"TONGBAN_RATE_PERSON": "1000000", "TONGBAN_RATE_ADDRESS": "1000000"}
COOKIE = "__Host-tongban"


class Site:
    """The running platform. `people`: tokens; `names`: who works in the district, clerks first."""

    def __init__(self, stack: Stack, seconds: float) -> None:
        self.stack = stack
        self.seconds = seconds  # from nothing to ready
        self.settings = settings_of(stack)
        self.people = People(self.settings)
        everybody = district(SIZES["small"]).people
        self.names = [one.username for one in everybody if one.posts and "." in one.username]

    def servers(self, *names: str) -> Servers:
        """The processes of these names, of all when none is named."""
        return Servers(
            *(self.stack.pid(name) for name in names or self.stack.names if not name.endswith("-setup"))
        )

    def signed_in(self, username: str) -> Browser:
        """A browser with a session of its own."""
        browser = Browser(self.stack.url, self.stack.ca)
        browser.sign_in(username, self.settings.secret("demo-password"))
        return browser

    def trust(self) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=str(self.stack.ca))

    def environment(self, unit: str, process: str, **more: str) -> dict[str, str]:
        """The environment of a further process that passes for one of this unit."""
        env = {**os.environ, **self.stack.env, "TONGBAN_SERVICE": unit, "TONGBAN_PROCESS": process, **more}
        return {**env, "PYTHONPATH": f"{ROOT}:{ROOT / 'build/gen'}", "PYTHONUNBUFFERED": "1"}


@contextlib.contextmanager
def running(var: Path) -> Iterator[Site]:
    """Start it, with the small district in it."""
    os.environ.update(LIFTED)
    began = time.monotonic()
    with Stack(var / "site", seconds=480) as stack:
        seconds = time.monotonic() - began
        if not (var / "site" / "demo-logins.txt").exists():
            assert stack.run("-m", "deploy.demo", "--size", "small", "--documents", "6", "--weeks", "1") == 0
        yield Site(stack, seconds)


@contextlib.contextmanager
def process(command: list[str], env: dict[str, str], port: int, log: Path) -> Iterator[Servers]:
    """A process of the bench's own, from when it listens until the end of the with-block."""
    with log.open("wb") as out, subprocess.Popen(command, env=env, cwd=ROOT, stdout=out, stderr=out) as child:
        try:
            ready = listens(port)
            end = time.monotonic() + 60
            while not ready():
                assert child.poll() is None, f"ended: {command}; see {log}"
                assert time.monotonic() < end, f"not ready: {command}; see {log}"
                time.sleep(0.1)
            yield Servers(child.pid)
        finally:
            child.terminate()
            child.wait(20)


@contextlib.contextmanager
def python(module: list[str], env: dict[str, str], port: int, log: Path) -> Iterator[Servers]:
    """The same for a Python module."""
    with process([sys.executable, "-m", *module], env, port, log) as servers:
        yield servers


def wrk(url: str, seconds: float, *, headers: dict[str, str], script: str = "", at_once: int = 16) -> int:
    """Load `url` for so long; returns how many answers of success there were. Fails when there were others."""
    command = ["wrk", "-t1", f"-c{at_once}", f"-d{max(1, round(seconds))}s", "--timeout", "20s"]
    for name, value in headers.items():
        command += ["-H", f"{name}: {value}"]
    if script:
        command += ["-s", script]
    said = subprocess.run([*command, url], capture_output=True, text=True, check=True).stdout
    assert not re.search("Non-2xx|Socket errors", said), said
    found = re.search(r"(\d+) requests in", said)
    assert found, said
    return int(found[1])
