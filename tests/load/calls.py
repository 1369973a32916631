"""What a call costs: through the gateway against a chain that does nothing, through the door against no door."""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Callable
from pathlib import Path

from tongban.tasks.v1 import tasks_pb2 as pb
from tongban.tasks.v1 import tasks_pb2_grpc

from deploy.local.ports import free_block
from tests.checks.platform import channel, subject
from tests.load.echo import TASK
from tests.load.measuring import Figure, Servers, ratio
from tests.load.site import ROOT, Site, python, wrk

AT_ONCE = 8
USER = "qfb.wenshu"
# Each request a task of its own: the body and the key under which it may be repeated differ.
_WRITE = """
local n = 0
request = function()
  n = n + 1
  wrk.headers["Idempotency-Key"] = "%s-" .. n
  return wrk.format("POST", nil, nil, '{"title":"%s","text":"%s","assignees":["%s"],"request_id":"%s-' .. n .. '"}')
end
response = function(status, headers, body)
  if status >= 300 then print(status, body) end
end
"""


def run(site: Site, var: Path, *, rounds: int = 5, seconds: float = 3.0) -> list[Figure]:
    """Calls per second of the servers' processor time."""
    folder = var / "calls"
    folder.mkdir(parents=True, exist_ok=True)
    with free_block() as base:
        addresses = {
            name: f"127.0.0.1:{base + place}" for place, name in enumerate(("bare", "door", "chain"))
        }
        env = site.environment("tasks", "serve")
        behind = {**env, "TONGBAN_GRPC_TASKS": addresses["bare"], "TONGBAN_HTTP": addresses["chain"]}
        gunicorn = ["gunicorn", "-c", str(ROOT / "deploy/local/gunicorn.conf.py"), "tests.load.echo:app()"]
        serve = ["tests.load.echo"]
        with (
            python(
                [*serve, "bare"], {**env, "TONGBAN_GRPC": addresses["bare"]}, base, folder / "bare.log"
            ) as bare,
            python(
                [*serve, "door"], {**env, "TONGBAN_GRPC": addresses["door"]}, base + 1, folder / "door.log"
            ) as door,
            python(
                gunicorn, {**behind, "TONGBAN_SERVICE": "gateway"}, base + 2, folder / "chain.log"
            ) as chain,
        ):
            through = chain.with_(bare)
            return [
                *_rest(site, folder, f"http://{addresses['chain']}", through, rounds, seconds),
                _grpc(site, addresses, bare, door, rounds, seconds),
            ]


def _rest(
    site: Site, folder: Path, chain: str, through: Servers, rounds: int, seconds: float
) -> list[Figure]:
    gateway = f"http://{site.stack.env['TONGBAN_HTTP_GATEWAY']}/api/v1/tasks"
    person = site.people.token(USER)
    task = _a_task(site)
    headers = {"Host": site.stack.url.removeprefix("https://"), "Authorization": f"Bearer {person}"}
    ours, store = ("gateway-web", "tasks-serve"), ("mongo",)

    def reading(url: str, servers: Servers) -> Callable[[], float]:
        return lambda: servers.per_cpu_second(lambda: wrk(url, seconds, headers=headers, at_once=AT_ONCE))

    def writing(url: str, servers: Servers) -> Callable[[], float]:
        def once() -> int:
            script = folder / "write.lua"
            mark = uuid.uuid4().hex
            script.write_text(_WRITE % (mark, TASK.title, TASK.text, f"p:{_taker(site)}", mark))
            posted = {**headers, "Content-Type": "application/json"}
            return wrk(url, seconds, headers=posted, script=str(script), at_once=AT_ONCE)

        return lambda: servers.per_cpu_second(once)

    noop_read, noop_write = reading(f"{chain}/tasks/{task}", through), writing(f"{chain}/tasks", through)
    read, write = f"{gateway}/tasks/{task}", f"{gateway}/tasks"
    noop_read(), noop_write()
    return [
        ratio(
            "REST read", "GET of a task per CPU-second (gateway + service) / no-op REST→gRPC chain (gunicorn + echo)",
            reading(read, site.servers(*ours)), noop_read, rounds=rounds, mark=0.5,
        ),
        ratio(
            "REST read, store counted", "the same with the database's processor time",
            reading(read, site.servers(*ours, *store)), noop_read, rounds=rounds,
        ),
        ratio(
            "REST write", "POST of a task per CPU-second (gateway + service) / no-op chain",
            writing(write, site.servers(*ours)), noop_write, rounds=rounds, mark=0.3,
        ),
        ratio(
            "REST write, store counted", "the same with the database's processor time",
            writing(write, site.servers(*ours, *store)), noop_write, rounds=rounds,
        ),
    ]  # fmt: skip


def _grpc(
    site: Site, addresses: dict[str, str], bare: Servers, door: Servers, rounds: int, seconds: float
) -> Figure:
    person = site.people.token(USER)
    trace = f"00-{'a' * 32}-{'b' * 16}-01"

    def calling(address: str, servers: Servers) -> Callable[[], float]:
        stub = tasks_pb2_grpc.TaskServiceStub(channel(site.stack, "tasks", address=address))
        metadata = [("authorization", f"Bearer {person}"), ("x-request-id", "bench"), ("traceparent", trace)]
        ask = pb.GetTaskRequest(task=TASK.task)
        stub.GetTask(ask, timeout=20, metadata=metadata, wait_for_ready=True)

        def work() -> int:
            counts = [0] * AT_ONCE
            end = time.monotonic() + seconds

            def caller(place: int) -> None:
                while time.monotonic() < end:
                    stub.GetTask(ask, timeout=20, metadata=metadata)
                    counts[place] += 1

            threads = [threading.Thread(target=caller, args=(place,)) for place in range(AT_ONCE)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            return sum(counts)

        return lambda: servers.per_cpu_second(work)

    return ratio(
        "service's door", "gRPC calls per CPU-second with authentication, rights, audit and log / bare echo on the same frame",
        calling(addresses["door"], door), calling(addresses["bare"], bare), rounds=rounds, mark=0.75,
    )  # fmt: skip


def _a_task(site: Site) -> str:
    stub = tasks_pb2_grpc.TaskServiceStub(channel(site.stack, "tasks"))
    wish = pb.CreateTaskRequest(title=TASK.title, text=TASK.text, assignees=[f"p:{_taker(site)}"])
    return str(site.people.call(stub.CreateTask, wish, USER).task)


def _taker(site: Site) -> str:
    return subject(site.people.token(site.names[-1]))
