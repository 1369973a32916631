"""AdministrationService over gRPC: proto ↔ command, and nothing else."""

from __future__ import annotations

from typing import Any

from tongban.portal.v1 import administration_pb2 as pb
from tongban.portal.v1 import administration_pb2_grpc as api

from chassis import bounds
from chassis.deadletters import DeadLetters
from chassis.door import callers
from chassis.errors import not_found
from chassis.idempotency import request_of
from portal.answers import once
from portal.ending import receipts_of
from portal.parts import PortalParts
from portal.system.reading import read
from portal.system.state import state

WHO = {
    "GetSystemState": callers("system_administrator"),
    "ListDeadLetters": callers("system_administrator"),
    "ReplayDeadLetter": callers("system_administrator"),
    # A page that people see after they have signed out asks with the portal's own token.
    "ListReceipts": callers("service:portal"),
}
MOST, USUAL = 200, 100


class AdministrationRpc(api.AdministrationServiceServicer):
    """The platform's own state, dead letters, and the receipts of ended logins."""

    def __init__(self, parts: PortalParts) -> None:
        self._parts = parts

    def GetSystemState(self, _request: pb.GetSystemStateRequest, _rpc: Any) -> pb.GetSystemStateResponse:
        return state(read(self._parts.chassis))

    def ListDeadLetters(self, request: pb.ListDeadLettersRequest, _rpc: Any) -> pb.ListDeadLettersResponse:
        answer = pb.ListDeadLettersResponse()
        size = bounds.page_size(request.page_size, USUAL, MOST)
        for letter in DeadLetters(self._parts.chassis.bus).listing(size):
            message = answer.dead_letters.add(
                sequence=letter.sequence,
                subject=letter.subject,
                consumer=letter.consumer,
                reason=letter.reason,
                event=letter.event,
                size=letter.size,
            )
            if letter.time:
                message.time.FromDatetime(letter.time)
        return answer

    def ReplayDeadLetter(self, request: pb.ReplayDeadLetterRequest, _rpc: Any) -> pb.ReplayDeadLetterResponse:
        def effect() -> pb.ReplayDeadLetterResponse:
            DeadLetters(self._parts.chassis.bus).replay(request.sequence)
            return pb.ReplayDeadLetterResponse()

        return once(self._parts.chassis.store, request_of(request), pb.ReplayDeadLetterResponse, effect)

    def ListReceipts(self, request: pb.ListReceiptsRequest, _rpc: Any) -> pb.ListReceiptsResponse:
        receipts = receipts_of(self._parts, request.receipt)
        if receipts is None:
            raise not_found("退出回执")
        return pb.ListReceiptsResponse(
            receipts=[pb.Receipt(name=one.name, sentence=one.sentence, good=one.good) for one in receipts]
        )
