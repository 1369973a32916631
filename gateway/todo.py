"""How much a reader has to do. The service `tasks` knows; without it streams carry no count."""

from __future__ import annotations

import time

from tongban.tasks.v1 import tasks_pb2, tasks_pb2_grpc

from chassis import context, log
from chassis.client import Client
from chassis.errors import TongbanError

SECONDS = 2.0
_log = log.get(__name__)
_tasks = Client("tasks", tasks_pb2_grpc.TaskServiceStub)


def count(token: str) -> int | None:
    """The number of open obligations of the token's holder, None when it cannot be had."""
    with context.serving(context.Call(token=token, deadline=time.monotonic() + SECONDS)):
        try:
            answer = _tasks.GetTodoCount(tasks_pb2.GetTodoCountRequest())
        except TongbanError as problem:
            _log.info("no count", problem=problem.reason)
            return None
    return int(answer.count.total)
