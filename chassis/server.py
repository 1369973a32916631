"""The gRPC server of every service: behind the door, with the health service and the same limits everywhere."""

from __future__ import annotations

import threading
from concurrent import futures

import grpc
from grpc_health.v1 import health_pb2_grpc

from chassis.audit import Audit
from chassis.door import Door, Who
from chassis.health import Health
from chassis.identity import Verifier
from chassis.settings import Settings, number

MESSAGE_BYTES = 4 << 20


class Threads(futures.ThreadPoolExecutor):
    """A pool whose threads all run from the beginning.

    The library would begin them with the calls, and where memory is short and none can be begun, it takes no call ever after.
    """

    def __init__(self, count: int) -> None:
        super().__init__(count, thread_name_prefix="rpc")
        all_run = threading.Barrier(count + 1)
        for _ in range(count):
            self.submit(all_run.wait)
        all_run.wait()


def taking_calls() -> bool:
    """Whether the thread still runs with which the library takes calls; it ends at the first problem of its own."""
    return any("(_serve)" in one.name for one in threading.enumerate())


def build(
    settings: Settings, verifier: Verifier, who: Who, health: Health, audit: Audit | None = None
) -> grpc.Server:
    """A server with the door and the health service; the caller adds its servicers and the port."""
    server = grpc.server(
        Threads(int(number("THREADS", 16))),
        interceptors=[Door(settings, verifier, who, audit)],
        maximum_concurrent_rpcs=int(number("CONCURRENT_RPCS", 400)),
        options=[
            ("grpc.so_reuseport", 1),
            ("grpc.max_receive_message_length", MESSAGE_BYTES),
            ("grpc.max_send_message_length", MESSAGE_BYTES),
            ("grpc.http2.max_ping_strikes", 0),
        ],
    )
    health_pb2_grpc.add_HealthServicer_to_server(health, server)
    return server
