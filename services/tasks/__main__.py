"""python -m services.tasks serve | work | rebuild-index"""

from __future__ import annotations

from functools import partial

from tongban.tasks.v1 import tasks_pb2_grpc

from chassis.parts import Parts
from chassis.process import Service, main
from services.tasks import events
from services.tasks.ledger import Ledger
from services.tasks.registry import registry
from services.tasks.repository import records
from services.tasks.rpc import SECURITY, WHO, TaskService

of = partial(records, obligation_event=events.obligation_event, task_event=events.task_event)


def add(parts: Parts, server: object) -> None:
    """The servicers of `serve`."""
    tasks_pb2_grpc.add_TaskServiceServicer_to_server(
        TaskService(of(parts), registry(parts), parts.directory), server
    )


def ledger(parts: Parts) -> Ledger:
    """What takes events in, in `work`."""
    kept = of(parts)
    return Ledger(kept.obligations, kept.lists, parts.bus.hint)


SERVICE = Service(
    "tasks",
    WHO,
    add,
    lambda parts: of(parts).by_name(),
    lambda parts: events.consumers(ledger(parts)),
    registry,
    mend=lambda parts: events.mend(ledger(parts)),
    security=SECURITY,
)

if __name__ == "__main__":
    main(SERVICE)
