"""python -m services.audit serve | work | verify | purge | rebuild-index"""

from __future__ import annotations

from tongban.audit.v1 import audit_pb2_grpc

from chassis.parts import Parts
from chassis.process import Service, main
from services.audit import parts, verbs
from services.audit.rpc import SECURITY, WHO, AuditService


def add(given: Parts, server: object) -> None:
    """The servicer of `serve`."""
    audit_pb2_grpc.add_AuditServiceServicer_to_server(AuditService(parts.room_of(given)), server)


SERVICE = Service(
    "audit",
    WHO,
    add,
    repositories=lambda _parts: {},
    background=lambda given: [parts.take(given)],
    commands={"verify": verbs.verify, "purge": verbs.purge, "rebuild-index": verbs.reindex},
    security=SECURITY,
)

if __name__ == "__main__":
    main(SERVICE)
