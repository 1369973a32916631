"""Services inside the bench's own process, on real engines, with records made by copying one that went the real way."""

from __future__ import annotations

import contextlib
import copy
import uuid
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import bson
from tongban.documents.v1 import documents_pb2 as documents_pb
from tongban.documents.v1 import documents_pb2_grpc
from tongban.meetings.v1 import meetings_pb2_grpc
from tongban.tasks.v1 import tasks_pb2_grpc

from chassis.directory import Directory
from chassis.process import Service
from chassis.store import Collection
from deploy.local.stack import Stack
from services.documents.__main__ import SERVICE as DOCUMENTS
from services.meetings.__main__ import SERVICE as MEETINGS
from services.tasks.__main__ import SERVICE as TASKS
from tests.inprocess import InProcess, directory_of, token

AT_ONCE = 8  # callers
UNITS = [f"u{number}" for number in range(60)]
_ORGANISATIONS = [(unit, f"第{number}单位", "", "organisation") for number, unit in enumerate(UNITS)]
PEOPLE = {"clerk": ["zfb:registrar"], "head": ["zfb:head"], "boss": ["zfb:leader"]}
AS = {person: token(person, *posts) for person, posts in PEOPLE.items()}


def rid() -> str:
    """A fresh request id."""
    return uuid.uuid4().hex


def side_by_side(work: Callable[[Any], Any], items: Iterable[Any]) -> int:
    """Do it for every item, AT_ONCE at a time; returns how many there were."""
    with ThreadPoolExecutor(AT_ONCE) as pool:
        return len(list(pool.map(work, items)))


class Scene:
    """One service at work, and copies of its records."""

    def __init__(self, service: InProcess) -> None:
        self.service = service

    def records(self, name: str) -> Collection:
        return self.service.parts.store.collection(name)

    def copies(self, name: str, record: dict[str, Any], count: int) -> list[str]:
        """So many further records like this one, straight in the store's form; returns their ids."""
        made = [{**copy.deepcopy(record), "_id": uuid.uuid4().hex, "outbox": []} for _ in range(count)]
        collection = self.records(name)
        # The index that compare-and-set needs is made by the first insert of the service's own.
        collection._ensure_index("revision")
        collection._c.insert_many(made)
        return [one["_id"] for one in made]

    def bare(self, record: dict[str, Any], count: int) -> Callable[[], int]:
        """Durable inserts of records of this one's size into the same database: what the store itself can do."""
        blob = b"x" * max(1, len(bson.encode(record)) - 60)
        collection = self.records("bare")
        return lambda: side_by_side(
            lambda _: collection.insert({"_id": rid(), "revision": 1, "blob": blob}), range(count)
        )


def district() -> Directory:
    """An office that issues, and sixty units."""
    found = directory_of([("zfb", "区政府办公室", "", "organisation"), *_ORGANISATIONS], PEOPLE)
    for unit in found.units():
        unit.organ_code = "云政办发" if unit.unit == "zfb" else f"云{unit.unit}"
    return found


@contextlib.contextmanager
def _scene(stack: Stack, var: Path, service: Service, *kinds: type) -> Iterator[Scene]:
    var.mkdir(parents=True, exist_ok=True)
    made = InProcess(
        service,
        stack.env["TONGBAN_MONGO_URI"],
        stack.env["TONGBAN_NATS_URL"],
        var,
        district(),
        stack.env["TONGBAN_SECRETS"],
    )
    with made.running(*kinds) as ready:
        yield Scene(ready)


def documents(stack: Stack, var: Path) -> AbstractContextManager[Scene]:
    """The documents service."""
    return _scene(
        stack, var, DOCUMENTS, documents_pb2_grpc.DocumentServiceStub, documents_pb2_grpc.DeliveryServiceStub
    )


def meetings(stack: Stack, var: Path) -> AbstractContextManager[Scene]:
    """The meetings service."""
    return _scene(stack, var, MEETINGS, meetings_pb2_grpc.MeetingServiceStub)


def tasks(stack: Stack, var: Path) -> AbstractContextManager[Scene]:
    """The tasks service."""
    return _scene(stack, var, TASKS, tasks_pb2_grpc.TaskServiceStub)


def reviewed(scene: Scene) -> str:
    """A document before the leader's signature; returns its id."""
    wish = documents_pb.Elements(
        genre="通知", title="关于做好汛期值班工作的通知", body="一、总体要求\n各单位要认真落实值班责任。\n" * 6, addressees=UNITS
    )  # fmt: skip
    call = scene.service.call
    made = call(
        "CreateDocument", documents_pb.CreateDocumentRequest(elements=wish, request_id=rid()), AS["clerk"]
    )
    submit = documents_pb.SubmitDocumentRequest(
        document=made.document, reviewers=["head"], leader="boss", request_id=rid()
    )
    call("SubmitDocument", submit, AS["clerk"])
    step = documents_pb.StepRequest(document=made.document, opinion="同意", request_id=rid())
    call("ReviewDocument", step, AS["head"])
    return str(made.document)
