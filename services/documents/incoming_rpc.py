"""proto ↔ command for incoming documents. Who may call what stands in rpc.WHO."""

from __future__ import annotations

from typing import Any

from tongban.documents.v1 import documents_pb2 as pb
from tongban.documents.v1 import documents_pb2_grpc as stubs

from chassis.context import caller
from chassis.idempotency import request_of
from chassis.times import moment
from services.documents import incoming
from services.documents.lists import listing
from services.documents.repository import Desk
from services.documents.views import delivery_view, progress_view


class Deliveries(stubs.DeliveryServiceServicer):
    """Incoming documents."""

    def __init__(self, own: Desk) -> None:
        self._desk = own

    def GetDelivery(self, request: pb.GetDeliveryRequest, _: Any) -> pb.Delivery:
        """One delivery; that the caller opened it is noted."""
        return self._view(incoming.open_delivery(self._desk, caller(), request.delivery))

    def ListDeliveries(self, request: pb.ListRequest, _: Any) -> pb.ListResponse:
        """收文登记簿."""
        return listing(self._desk, request, "incoming", "/documents/incoming/")

    def SignFor(self, request: pb.DeliveryStepRequest, _: Any) -> pb.Delivery:
        """签收."""
        return self._step(incoming.sign_for, request)

    def Register(self, request: pb.DeliveryStepRequest, _: Any) -> pb.Delivery:
        """登记."""
        return self._step(incoming.register, request)

    def ReturnToSender(self, request: pb.DeliveryStepRequest, _: Any) -> pb.Delivery:
        """退回来文单位."""
        return self._step(incoming.return_to_sender, request, request.opinion)

    def PassOn(self, request: pb.PassOnRequest, _: Any) -> pb.Delivery:
        """拟办分送."""
        due = moment(request.due_at)
        return self._view(
            incoming.pass_on(
                self._desk, caller(), request_of(request), request.delivery, list(request.handlers),
                list(request.readers), request.proposal, due,
            )
        )  # fmt: skip

    def Handle(self, request: pb.DeliveryStepRequest, _: Any) -> pb.Delivery:
        """办理完毕."""
        return self._step(incoming.handle, request, request.item, request.opinion)

    def Forward(self, request: pb.ForwardRequest, _: Any) -> pb.Delivery:
        """转办."""
        return self._view(
            incoming.forward(
                self._desk,
                caller(),
                request_of(request),
                request.delivery,
                request.item,
                request.to,
                request.opinion,
            )
        )

    def SendBack(self, request: pb.DeliveryStepRequest, _: Any) -> pb.Delivery:
        """退回文书."""
        return self._step(incoming.send_back, request, request.item, request.opinion)

    def MarkRead(self, request: pb.DeliveryStepRequest, _: Any) -> pb.Delivery:
        """阅知."""
        return self._step(incoming.mark_read, request, request.opinion)

    def Answer(self, request: pb.DeliveryStepRequest, _: Any) -> pb.Delivery:
        """答复."""
        return self._step(incoming.answer, request, request.opinion)

    def ConcludeDelivery(self, request: pb.DeliveryStepRequest, _: Any) -> pb.Delivery:
        """办结."""
        return self._step(incoming.conclude_delivery, request, request.opinion)

    def UrgeDelivery(self, request: pb.DeliveryStepRequest, _: Any) -> pb.Progress:
        """催办."""
        return self._issuer(incoming.urge_delivery, request)

    def Resend(self, request: pb.DeliveryStepRequest, _: Any) -> pb.Progress:
        """重新发送."""
        return self._issuer(incoming.resend, request)

    def AcceptReturn(self, request: pb.DeliveryStepRequest, _: Any) -> pb.Progress:
        """同意退文."""
        return self._issuer(incoming.accept_return, request)

    def _view(self, delivery: Any) -> pb.Delivery:
        return delivery_view(self._desk, delivery, caller())

    def _step(self, command: Any, request: pb.DeliveryStepRequest, *given: str) -> pb.Delivery:
        return self._view(command(self._desk, caller(), request_of(request), request.delivery, *given))

    def _issuer(self, command: Any, request: pb.DeliveryStepRequest) -> pb.Progress:
        delivery = command(self._desk, caller(), request_of(request), request.delivery, request.opinion)
        return progress_view(delivery, caller())
