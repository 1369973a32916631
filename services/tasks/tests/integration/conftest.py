"""The service in this process, on the engines of the fixture `engines`."""

from __future__ import annotations

import pytest
from tongban.tasks.v1 import tasks_pb2_grpc

from services.tasks.__main__ import SERVICE
from tests.inprocess import InProcess, directory_of, token

UNITS = [
    ("qzf", "云溪区人民政府", "", "organisation"),
    ("zfb", "云溪区人民政府办公室", "qzf", "organisation"),
    ("fgw", "云溪区发展和改革局", "qzf", "organisation"),
    ("fgw-tz", "投资科", "fgw", "division"),
]
PEOPLE = {
    "quzhang": ["qzf:leader"],
    "wenshu": ["zfb:registrar"],
    "zhuren": ["zfb:head"],
    "fg-wenshu": ["fgw:registrar"],
    "fg-juzhang": ["fgw:leader", "fgw:head"],
    "kezhang": ["fgw-tz:head"],
    "keyuan": ["fgw-tz:member"],
}
AS = {person: token(person, *posts) for person, posts in PEOPLE.items()}


@pytest.fixture(scope="module")
def tasks(tmp_path_factory, engines):
    mongo, nats = engines["mongo"], engines["nats"]
    service = InProcess(SERVICE, mongo, nats, tmp_path_factory.mktemp("tasks"), directory_of(UNITS, PEOPLE))
    with service.running(tasks_pb2_grpc.TaskServiceStub) as running:
        yield running
