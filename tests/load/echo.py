"""Servers that do nothing, on the platform's own frame: what a call costs before anything is done in it.

`python -m tests.load.echo bare|door` is a gRPC server that gives the task service's answer out of its hand, without the door
and with it. `tests.load.echo:app()` is REST in, such a call, JSON out, for gunicorn.
"""

from __future__ import annotations

import json
import sys
from typing import Any

import grpc
from flask import Flask, Response, request
from google.protobuf import json_format
from tongban.tasks.v1 import tasks_pb2 as pb
from tongban.tasks.v1 import tasks_pb2_grpc

from chassis import client, log, process, server
from chassis.parts import Parts
from chassis.settings import settings
from services.tasks.rpc import WHO

# Of the size of a real one: a task with three parts.
TASK = pb.Task(
    task="0" * 32, title="关于做好汛期值班工作的通知", text="各单位要认真落实值班责任，保持通信畅通。" * 4, creator="0" * 36,
    creator_unit="qfb", state="open", etag="1",
    assignments=[pb.Assignment(number=n, holder=f"p:{'0' * 36}", state="open", obligation="0" * 40) for n in range(3)],
)  # fmt: skip


class Echo(tasks_pb2_grpc.TaskServiceServicer):
    """Says always the same."""

    def GetTask(self, _request: pb.GetTaskRequest, _: grpc.ServicerContext) -> pb.Task:  # noqa: N802
        return TASK

    def CreateTask(self, _request: pb.CreateTaskRequest, _: grpc.ServicerContext) -> pb.Task:  # noqa: N802
        return TASK


class Open(grpc.ServerInterceptor):
    """No door: every call goes through."""

    def __init__(self, *_: Any) -> None:
        """Whatever the door is given."""

    def intercept_service(self, continuation: Any, details: grpc.HandlerCallDetails) -> Any:
        return continuation(details)


def app() -> Flask:
    """REST → gRPC and nothing else."""
    flask = Flask(__name__, static_folder=None)
    stub = tasks_pb2_grpc.TaskServiceStub(client.channel("tasks"))

    def answer(task: pb.Task) -> Response:
        told = json_format.MessageToDict(
            task, preserving_proto_field_name=True, always_print_fields_with_no_presence=True
        )
        return Response(json.dumps(told, ensure_ascii=False), content_type="application/json")

    @flask.get("/tasks/<task>")
    def read(task: str) -> Response:
        return answer(stub.GetTask(pb.GetTaskRequest(task=task), timeout=10))

    @flask.post("/tasks")
    def write() -> Response:
        return answer(
            stub.CreateTask(json_format.ParseDict(request.get_json(), pb.CreateTaskRequest()), timeout=10)
        )

    return flask


def main() -> int:
    log.configure("echo", "serve")
    if sys.argv[1] == "bare":
        server.Door = Open  # type: ignore[misc, assignment]
    service = process.Service(
        "tasks",
        WHO,
        lambda _parts, made: tasks_pb2_grpc.add_TaskServiceServicer_to_server(Echo(), made),
        lambda _parts: {},
    )
    return process.serve(service, Parts(settings()))


if __name__ == "__main__":
    sys.exit(main())
