"""kill -9 between commit and publish, at every step of a save and of the relay: each event arrives, with one effect."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import uuid

import pymongo
import pytest
from tongban.tasks.v1 import tasks_pb2_grpc

from chassis.tests.helpers import settings
from services.tasks.__main__ import SERVICE, of
from tests.checks.crashing import HOLDERS, POINTS, Work
from tests.checks.stream import Stream
from tests.inprocess import InProcess, directory_of, eventually
from tests.rules import tree

pytestmark = [pytest.mark.integration, pytest.mark.timeout(300)]
UNITS = [("zfb", "云溪区人民政府办公室", "", "organisation")]


@pytest.fixture(scope="module")
def tasks(engines, tmp_path_factory):
    """The service that takes the events in: obligations and people's lists."""
    directory = directory_of(UNITS, {person: ["zfb:member"] for person in HOLDERS})
    service = InProcess(
        SERVICE, engines["mongo"], engines["nats"], tmp_path_factory.mktemp("tasks"), directory
    )
    with service.running(tasks_pb2_grpc.TaskServiceStub) as running:
        yield running


@pytest.fixture(scope="module")
def forge(engines, tmp_path_factory):
    """forge(*jobs) → how the child of each job ended."""
    var = tmp_path_factory.mktemp("crashing")
    env = {**os.environ, "PYTHONPATH": f"{tree.ROOT}:{tree.ROOT / 'build/gen'}"}
    command = [sys.executable, "-m", "tests.checks.crashing", engines["mongo"], engines["nats"], str(var)]
    process = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=env, text=True, cwd=tree.ROOT
    )

    def run(*jobs):
        process.stdin.write(json.dumps(jobs) + "\n")
        process.stdin.flush()
        while not (line := process.stdout.readline()).startswith("["):
            assert line, "the forge of processes ended"
        return json.loads(line)

    yield run
    process.stdin.close()
    process.wait(20)


def patience(point):
    """Seconds for a relay to end by itself; an intent of which nothing was saved stays longer than a test waits."""
    return 10.0 if "nothing saved" in point else 60.0


def test_no_event_is_lost_and_none_has_two_effects(tasks, forge, engines, tmp_path):
    """# check 46"""
    run_id = uuid.uuid4().hex[:6]
    services = {point: f"crash{number}x{run_id}" for number, point in enumerate(POINTS)}
    ends = forge(*({"service": service, "point": point} for point, service in services.items()))
    assert not [point for point, end in zip(POINTS, ends, strict=True) if end != "killed"]

    assert set(
        forge(*({"service": service, "seconds": patience(point)} for point, service in services.items()))
    ) == {"done"}
    found = {point: kept(engines, service, tmp_path) for point, service in services.items()}
    uncommitted = [point for point in POINTS if "nothing saved" in point]
    for point, task in found.items():
        if point == "add: intent written, nothing saved":
            assert task is None, point
            continue
        eventually(lambda task=task: len(effects(tasks, task)) == len(HOLDERS), 60)

    # The clients of all these processes had no answer, so they send their requests again.
    wishes = ["change" if point.startswith("change") else "add" for point in POINTS]
    repeated = zip(services.values(), wishes, strict=True)
    assert set(forge(*({"service": name, "write": wish, "seconds": 60.0} for name, wish in repeated))) == {
        "done"
    }
    stream = Stream(
        settings(tmp_path, service="reader", mongo_uri=engines["mongo"], nats_url=engines["nats"])
    )
    stream.settled([tasks.settings.service])
    told = stream.everything()
    for point, service in services.items():
        task = kept(engines, service, tmp_path)
        closed = point.startswith("change")
        assert sum(part.state == "done" for part in task.assignments) == closed, point
        found_effects = effects(tasks, task)
        assert sorted(found_effects) == sorted(task.obligation(part) for part in task.assignments), point
        assert all(len(one.holdings) == 1 for one in found_effects.values()), point
        assert sum(one.closing is not None for one in found_effects.values()) == closed, point
        listed = lists(tasks, found_effects)
        assert len(listed) == len(set(listed)) == len(HOLDERS) - closed, point
        # In the stream itself each event lies once, although some were sent twice.
        events = [one.headers["ce-id"] for one in told if one.subject.startswith(f"tongban.{service}.v1.")]
        assert len(events) == len(set(events)) == len(HOLDERS) + closed, point
    clean(engines, services.values())
    stream.close()
    between = len(POINTS) - len(uncommitted)
    print(
        f"check 46: kill -9 at {len(POINTS)} points, {between} of them between commit and publish: every event delivered,"
        f" 1 effect each; at {len(uncommitted)} before the commit: none, and 1 after the client's repetition"
    )
    assert between >= 20


def kept(engines, service, var):
    """The one task that this service holds, or None."""
    work = Work(settings(var, service=service, mongo_uri=engines["mongo"], nats_url=engines["nats"]))
    found = list(work.kept.tasks.scan())
    work.parts.store.close()
    assert len(found) <= 1
    return found[0] if found else None


def effects(tasks, task):
    """What the consuming service knows of the task's obligations."""
    return of(tasks.parts).obligations.get_many([task.obligation(part) for part in task.assignments])


def lists(tasks, obligations):
    """In whose list these obligations stand, once for each time."""
    holders = [f"p:{person}" for person in HOLDERS]
    return [
        (one.id, item.obligation) for one in of(tasks.parts).lists.get_many(holders) for item in one.items
        if item.obligation in obligations
    ]  # fmt: skip


def clean(engines, services):
    with pymongo.MongoClient(engines["mongo"]) as client:
        for service in services:
            client.drop_database(f"tongban_{service}")
