"""A service of a few lines: `python -m chassis.tests.tiny serve|work`. It counts, and notes every count that it hears of."""

from __future__ import annotations

import asyncio
import os
import time
from concurrent import futures
from typing import Any

import grpc
from tongban.events.v1 import obligation_pb2

from chassis import context
from chassis.aggregate import Request
from chassis.consumer import Consumer, Event
from chassis.errors import invalid
from chassis.idempotency import request_of
from chassis.parts import Parts
from chassis.process import Service, main
from chassis.repository import anyone
from chassis.tests.helpers import SERVICE, Answer, Thing, to_wire
from chassis.tests.helpers import Request as Ask

NAME = os.environ.get("TONGBAN_SERVICE", "tiny")


def repositories(parts: Parts) -> dict[str, Any]:
    return {"things": parts.repository(Thing, "things", to_wire=to_wire)}


def add(parts: Parts, server: grpc.Server) -> None:
    things = repositories(parts)["things"]

    def one(request: Ask, _rpc: Any) -> Answer:
        if request.document == "crash":
            raise RuntimeError("password=hunter2")
        if request.document == "deaf":
            # As when no memory is left for what the library does for the next call.
            futures.ThreadPoolExecutor.submit = None  # type: ignore[assignment,method-assign]
            return Answer(document="last")
        if request.document == "slow":
            (parts.settings.var / "slow").touch()
            time.sleep(2)
            return Answer(document="done")
        if not request.document:
            raise invalid(document="缺少编号。")
        wish = request_of(request)
        if things.find(request.document) is None:
            things.add(Thing(id=request.document), Request(f"begin-{request.document}"))
        return Answer(document=str(things.change(request.document, wish, Thing.add, anyone).number))

    handlers = {"One": grpc.unary_unary_rpc_method_handler(one, Ask.FromString, Answer.SerializeToString)}
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(SERVICE, handlers),))


def consumers(parts: Parts) -> list[Consumer]:
    seen = parts.store.collection("seen")

    def closed(event: Event) -> None:
        seen.put({"_id": event.id, "traceparent": context.current().traceparent})

    return [
        Consumer("inbox", {f"tongban.{NAME}.v1.obligation.closed": (obligation_pb2.ObligationClosed, closed)})
    ]


def background(parts: Parts) -> list[Any]:
    async def breaks() -> None:
        await asyncio.sleep(float(os.environ.get("TINY_BREAKS", "3600")))
        while not (parts.settings.var / "ready" / f"{NAME}-work").exists():  # noqa: ASYNC110 - a file tells nobody
            await asyncio.sleep(0.05)
        raise RuntimeError("the job broke")

    async def ends() -> int:
        return 7

    return [breaks(), ends()]


TINY = Service(
    name=NAME, who={"One": frozenset({"person"})}, add=add, repositories=repositories, consumers=consumers, background=background
)  # fmt: skip

if __name__ == "__main__":
    main(TINY)
