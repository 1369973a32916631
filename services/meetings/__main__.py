"""python -m services.meetings serve | work | rebuild-index"""

from __future__ import annotations

from tongban.meetings.v1 import meetings_pb2_grpc

from chassis.parts import Parts
from chassis.process import Service, main
from services.meetings import events
from services.meetings.booking import BookingDesk
from services.meetings.registry import registry
from services.meetings.repository import Records, records
from services.meetings.rpc import SECURITY, WHO, MeetingService


def of(parts: Parts) -> Records:
    """The records of this process."""
    return records(parts, events.to_wire)


def add(parts: Parts, server: object) -> None:
    """The servicers of `serve`."""
    kept = of(parts)
    service = MeetingService(kept, BookingDesk(kept), registry(parts), parts.directory)
    meetings_pb2_grpc.add_MeetingServiceServicer_to_server(service, server)


SERVICE = Service(
    "meetings", WHO, add, lambda parts: of(parts).by_name(),
    lambda parts: events.consumers(BookingDesk(of(parts))), registry,
    lambda parts: [events.by_the_clock(BookingDesk(of(parts)))],
    mend=lambda parts: events.mend(BookingDesk(of(parts))), security=SECURITY,
)  # fmt: skip

if __name__ == "__main__":
    main(SERVICE)
