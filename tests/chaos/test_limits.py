"""Processes with too few descriptors or too little memory: they refuse, they do not fall into a loop of crashes, they recover."""

from __future__ import annotations

import contextlib
import os
import resource
import signal
import socket
import ssl
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from deploy.local.probes import children
from tests.inprocess import eventually
from tests.load.measuring import family, status

pytestmark = [pytest.mark.e2e, pytest.mark.slow, pytest.mark.timeout(1800)]
DESCRIPTORS = 64
# A leader with few descriptors takes a minute to have all of its workers again.
SHORT = {"descriptors": ("tasks-serve",), "memory": ("tasks-serve", "gateway-web")}
# Where a burst of clients is felt: process → what they ask.
ASKED = {
    "tasks-serve": "/api/v1/tasks/todo", "documents-serve": "/api/v1/documents/outgoing", "meetings-serve": "/api/v1/meetings/rooms",
    "knowledge-serve": "/api/v1/knowledge/items", "gateway-web": "/api/v1/tasks/todo",
}  # fmt: skip
REFUSALS = frozenset({429, 500, 502, 503, 504})


def soft_limit(pid, what, most=""):
    """The soft limit of a process, before it was set to `most`. Asked under the process's own account, as root may lack the right."""
    found = status(pid)
    user, group = (int(found[name].split()[0]) for name in ("Uid", "Gid"))
    who = {} if user == os.geteuid() else {"user": user, "group": group, "extra_groups": []}
    asked = ["prlimit", f"--pid={pid}", "--output=SOFT", "--noheadings", "--raw"]
    before = subprocess.run(
        [*asked, f"--{what}"], **who, cwd="/", capture_output=True, text=True, check=True
    ).stdout.strip()
    if most:
        subprocess.run([*asked[:2], f"--{what}={most}:"], **who, cwd="/", check=True)
    return before


def limited(pid, what, most):
    """Set the soft limit of a running process and its workers; returns how to undo it."""
    before = {one: soft_limit(one, what, str(most(one))) for one in family(pid)}

    def undo():
        for one, limit in before.items():
            # One that has ended meanwhile has a successor without such a limit.
            with contextlib.suppress(FileNotFoundError):
                soft_limit(one, what, limit)

    return undo


def read_again(stack, name):
    """As if it had been started with the limits that its leader has now: the configuration is read again, its workers are new."""
    leader = stack.pid(name)
    before = children(leader)
    os.kill(leader, signal.SIGHUP)
    eventually(lambda: (now := children(leader)) and not now & before, 60)


def burst(stack, token, path, clients, each=5):
    """Many clients at once, each on a connection of its own; the statuses, 0 for a broken connection."""
    tls = ssl.create_default_context(cafile=str(stack.ca))

    def one(_):
        found = []
        with httpx.Client(base_url=stack.url, verify=tls, timeout=30) as client:
            for _ in range(each):
                try:
                    found.append(client.get(path, headers={"Authorization": f"Bearer {token}"}).status_code)
                except httpx.HTTPError:
                    found.append(0)
        return found

    with ThreadPoolExecutor(clients) as pool:
        return [status for found in pool.map(one, range(clients)) for status in found]


@contextlib.contextmanager
def crowd(stack, name):
    """More connections to a process than it has descriptors; they ask nothing."""
    unit, _, process = name.partition("-")
    host, _, port = stack.env[f"TONGBAN_{'GRPC' if process == 'serve' else 'HTTP'}_{unit.upper()}"].partition(
        ":"
    )
    with contextlib.ExitStack() as opened:
        for _ in range(DESCRIPTORS * 2):
            with contextlib.suppress(OSError):
                opened.enter_context(socket.create_connection((host, int(port)), timeout=2))
        yield


def most_open(stack, name):
    """Descriptors of the process or a worker of it; 0 while it is down, which it may be once."""
    try:
        return max(len(list(Path(f"/proc/{pid}/fd").iterdir())) for pid in family(stack.pid(name)))
    except (KeyError, FileNotFoundError):
        return 0


def address_space(pid):
    """The bytes that the process has mapped now."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[0]) * resource.getpagesize()


@pytest.mark.parametrize("kind", ["descriptors", "memory"])
def test_a_process_at_its_limit_refuses_and_recovers(stack, people, full, kind):
    """# check 62"""
    # As the process stands, with a little to go on: what it needs for one call, and not what a crowd needs.
    what, most = {
        "descriptors": ("nofile", lambda _pid: DESCRIPTORS),
        "memory": ("as", lambda pid: address_space(pid) + (16 << 20)),
    }[kind]
    said, refused, held = {}, 0, {}
    for name in ASKED if full else SHORT[kind]:
        token, path = people.token("qfb.zonghe"), ASKED[name]
        assert 200 in burst(stack, token, path, 1)
        before, of_workers = stack.pid(name), name.endswith("-web") and kind == "descriptors"
        undo = limited(before, what, most)
        try:
            if of_workers:
                read_again(stack, name)
                eventually(
                    lambda token=token, path=path: burst(stack, token, path, 1, 1) == [200], 60, pause=0.2
                )
            workers = family(stack.pid(name))
            with crowd(stack, name) if kind == "descriptors" else contextlib.nullcontext():
                found = burst(stack, token, path, 40 if full else 20)
                held[name] = most_open(stack, name)
            assert not of_workers or family(stack.pid(name)) == workers, (
                "a worker without descriptors refuses, it does not end"
            )
        finally:
            undo()
            if of_workers:
                read_again(stack, name)
        assert set(found) <= {200, *REFUSALS, 0}, f"{name}: {set(found)}"
        began = time.monotonic()
        # Seldom enough that the person's own limit, which the burst has used up, is not used up by the asking.
        eventually(lambda token=token, path=path: burst(stack, token, path, 1, 3) == [200] * 3, 60, pause=0.5)
        said[name] = (found.count(200), len(found) - found.count(200), round(time.monotonic() - began, 1))
        refused += len(found) - found.count(200)
        # It may have ended once; it must not end again and again.
        stack.wait_ready(name, 60)
        settled = stack.pid(name)
        time.sleep(2)
        assert stack.pid(name) == settled, f"{name} keeps ending"
    print(
        f"check 62: {kind} limited (most open: {held}): {len(said)} processes answered or refused, served again after the limit: {said} (served, refused, s)"
    )
