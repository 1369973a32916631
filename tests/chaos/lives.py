"""The four services in this process, and for each of their consumers a deed whose event has an effect there."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from tongban.documents.v1 import documents_pb2, documents_pb2_grpc
from tongban.knowledge.v1 import knowledge_pb2_grpc
from tongban.meetings.v1 import meetings_pb2_grpc
from tongban.tasks.v1 import tasks_pb2_grpc

from chassis.errors import Unavailable
from services.documents import numbering
from services.documents.__main__ import SERVICE as DOCUMENTS
from services.documents.tests.integration import conftest as documents
from services.documents.tests.integration import test_line as line
from services.knowledge.__main__ import SERVICE as KNOWLEDGE
from services.knowledge.tests.integration import conftest as knowledge
from services.knowledge.tests.integration.test_filing import concluded
from services.meetings.__main__ import SERVICE as MEETINGS
from services.meetings.booking import BookingDesk
from services.meetings.tests.integration import conftest as meetings
from services.tasks.__main__ import SERVICE as TASKS
from services.tasks.tests.integration import conftest as tasks
from services.tasks.tests.integration.test_todo import opened
from tests.inprocess import InProcess, directory_of


@dataclass(frozen=True)
class Life:
    """One service with the people of its own tests.

    deeds: consumer → what is done so that it has something to do. A deed is a generator: what stands before each `yield` is
    prepared and taken in by everybody; what stands behind the last one is the deed itself.
    """

    service: Any
    people: Any
    stubs: tuple[type, ...]
    deeds: dict[str, Callable[[InProcess], Any]] = field(default_factory=dict)

    def running(self, engines: dict[str, str], var: Path, service: Any = None) -> InProcess:
        """The service, not yet running; `service` in the place of its own composition."""
        directory = directory_of(self.people.UNITS, self.people.PEOPLE)
        if self.people is documents:
            documents.organs(directory)
        made = InProcess(
            service or self.service,
            engines["mongo"],
            engines["nats"],
            var,
            directory,
            engines.get("secrets"),
        )
        if self.people is knowledge:
            made.parts.__dict__["token"] = SimpleNamespace(get=lambda: knowledge.AS["service"])
        return made


class Meanwhile:
    """Something of the code is otherwise while the with-block runs: what a process that died there would have left undone."""

    def __init__(self, where: Any, name: str, other: Any) -> None:
        self.where, self.name, self.other = where, name, other

    def __enter__(self) -> None:
        self.before = getattr(self.where, self.name)
        setattr(self.where, self.name, self.other)

    def __exit__(self, *_: object) -> None:
        setattr(self.where, self.name, self.before)


def _not_numbered(*_: Any) -> None:
    raise Unavailable("STORE_UNAVAILABLE", "数据库暂时不可用。")


def _signed(service: InProcess) -> Any:
    yield
    with Meanwhile(numbering, "number_document", _not_numbered):
        line.signed(service, "fgw")


def _dispatched(service: InProcess) -> Any:
    made = line.signed(service, "fgw", "czj")
    yield
    _dispatch(service, made)


def _dispatch(service: InProcess, made: Any) -> None:
    wish = documents_pb2.DispatchDocumentRequest(document=made.document, request_id=line.rid())
    service.call("DispatchDocument", wish, line.AS["clerk"])


def _progressed(service: InProcess) -> Any:
    made = line.signed(service, "fgw")
    _dispatch(service, made)
    yield
    delivery = f"{made.document}|fgw"
    for step in ("SignFor", "Register"):
        line.do(service, step, delivery, "fgw-clerk")
    yield
    line.do(service, "ConcludeDelivery", delivery, "fgw-clerk")


def _concluded(service: InProcess) -> Any:
    made = line.signed(service, "fgw", "czj")
    _dispatch(service, made)
    yield
    wish = documents_pb2.StepRequest(document=made.document, opinion="事项已了结。", request_id=line.rid())
    service.call("ConcludeDocument", wish, line.AS["clerk"])


def _called(service: InProcess) -> Any:
    room = meetings.new_room(service)
    yield
    with Meanwhile(BookingDesk, "settle", lambda *_: None):
        meetings.call(service, room=room)


def _filed(service: InProcess) -> Any:
    yield
    service.tell("documents", concluded(SimpleNamespace(files={}), files=()))


def _owed(service: InProcess) -> Any:
    yield
    service.tell("documents", opened(f"documents|{uuid.uuid4().hex}|1", "p:kezhang"))


LIVES = {
    "documents": Life(
        DOCUMENTS, documents, (documents_pb2_grpc.DocumentServiceStub, documents_pb2_grpc.DeliveryServiceStub),
        {"signed": _signed, "dispatch": _dispatched, "progress": _progressed, "conclude": _concluded},
    ),
    "meetings": Life(MEETINGS, meetings, (meetings_pb2_grpc.MeetingServiceStub,), {"rooms": _called}),
    "knowledge": Life(KNOWLEDGE, knowledge, (knowledge_pb2_grpc.KnowledgeServiceStub,), {"filing": _filed}),
    "tasks": Life(TASKS, tasks, (tasks_pb2_grpc.TaskServiceStub,), {"obligations": _owed}),
}  # fmt: skip
