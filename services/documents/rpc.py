"""proto ↔ command for outgoing documents, and the table of who may call what; incoming ones: incoming_rpc."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import grpc
from google.api import httpbody_pb2
from tongban.documents.v1 import documents_pb2 as pb
from tongban.documents.v1 import documents_pb2_grpc as stubs

from chassis.context import caller
from chassis.door import callers
from chassis.errors import InvalidInput, invalid, not_found
from chassis.idempotency import request_of
from chassis.parts import Parts
from services.documents import access, bodies, commands, incoming
from services.documents.incoming_rpc import Deliveries
from services.documents.lists import listing
from services.documents.model.outgoing import Document
from services.documents.printing import scan
from services.documents.printing.errors import PrintingError
from services.documents.registry import registry
from services.documents.repository import Desk, desk
from services.documents.views import document_view, elements_of

PERSON, REGISTRAR, LEADER = callers("person"), callers("registrar"), callers("leader")
WHO = {
    "CreateDocument": PERSON, "UpdateDocument": PERSON, "GetDocument": PERSON, "ListDocuments": PERSON,
    "ReadBody": PERSON, "AttachFile": PERSON, "RemoveFile": PERSON, "ReadFile": callers("person", "service:knowledge"),
    "SubmitDocument": PERSON, "ReviewDocument": PERSON, "ReturnDocument": PERSON, "SignOffDocument": LEADER,
    "DispatchDocument": REGISTRAR, "ConcludeDocument": REGISTRAR, "WithdrawDocument": PERSON, "FindByCode": PERSON,
    "GetDelivery": PERSON, "ListDeliveries": PERSON, "SignFor": REGISTRAR, "Register": REGISTRAR,
    "ReturnToSender": REGISTRAR, "PassOn": REGISTRAR, "Handle": PERSON, "Forward": PERSON, "SendBack": PERSON,
    "MarkRead": PERSON, "Answer": PERSON, "ConcludeDelivery": REGISTRAR, "UrgeDelivery": REGISTRAR,
    "Resend": REGISTRAR, "AcceptReturn": REGISTRAR,
}  # fmt: skip

SECURITY = frozenset({"WithdrawDocument", "RemoveFile"})  # refused while nobody could keep their record


def add(parts: Parts, server: grpc.Server) -> None:
    """Put both servicers into the server."""
    own = desk(parts, registry(parts))
    stubs.add_DocumentServiceServicer_to_server(Documents(own), server)
    stubs.add_DeliveryServiceServicer_to_server(Deliveries(own), server)


class Documents(stubs.DocumentServiceServicer):
    """Outgoing documents."""

    def __init__(self, own: Desk) -> None:
        self._desk = own

    def _view(self, document: Document) -> pb.Document:
        return document_view(self._desk, document, caller())

    def CreateDocument(self, request: pb.CreateDocumentRequest, _: Any) -> pb.Document:
        """起草."""
        elements = elements_of(request.elements)
        unit = request.drafting_unit
        return self._view(commands.create_document(self._desk, caller(), request_of(request), elements, unit))

    def UpdateDocument(self, request: pb.UpdateDocumentRequest, _: Any) -> pb.Document:
        """修改草稿."""
        elements = elements_of(request.elements)
        return self._view(
            commands.update_document(self._desk, caller(), request_of(request), request.document, elements)
        )

    def GetDocument(self, request: pb.GetDocumentRequest, _: Any) -> pb.Document:
        """One document with its course and progress."""
        return self._view(access.access_document(self._desk, caller(), request.document))

    def ListDocuments(self, request: pb.ListRequest, _: Any) -> pb.ListResponse:
        """发文登记簿."""
        return listing(self._desk, request, "outgoing", "/documents/outgoing/")

    def ReadBody(self, request: pb.ReadBodyRequest, _: Any) -> pb.ReadBodyResponse:
        """A body's text out of an office file."""
        try:
            reading = bodies.text_of_file(request.name, request.content)
        except PrintingError as problem:
            raise InvalidInput(
                "UNREADABLE_BODY", problem.zh, problem.en, {"body_file": problem.zh}
            ) from problem
        left_out = [f"{kind}未能读入，请作为附件添加。" for kind in reading.left_out]
        return pb.ReadBodyResponse(
            body=bodies.text_of(reading.blocks), title=reading.title, warnings=left_out
        )

    def AttachFile(self, messages: Iterator[pb.AttachFileRequest], _: Any) -> pb.Document:
        """Attach to a draft, or to the answer that a unit prepares (then an empty document is returned)."""
        first = next(messages, None)
        if first is None or not first.HasField("attach"):
            raise invalid(file="没有收到文件。")
        what, request = first.attach, request_of(first.attach)
        parts = (message.piece for message in messages)
        given = (self._desk, caller(), request, what.document, what.name, what.media_type, parts)
        if "|" in what.document:
            incoming.attach_to_answer(*given)
            return pb.Document()
        return self._view(commands.attach_file(*given))

    def RemoveFile(self, request: pb.RemoveFileRequest, _: Any) -> pb.Document:
        """Take a file out of a draft."""
        return self._view(
            commands.remove_file(self._desk, caller(), request_of(request), request.document, request.digest)
        )

    def ReadFile(self, request: pb.ReadFileRequest, _: Any) -> Iterator[httpbody_pb2.HttpBody]:
        """The bytes of a file; the type carries the name, as in a mail: application/pdf; name="通知.pdf"."""
        file = access.access_file(self._desk, caller(), request.document, request.digest)
        # A quotation mark would end the name.
        kind = f'{file.media_type}; name="{file.name.replace(chr(34), "”")}"'
        for piece in self._desk.files.read(file.digest):
            yield httpbody_pb2.HttpBody(content_type=kind, data=piece)

    def SubmitDocument(self, request: pb.SubmitDocumentRequest, _: Any) -> pb.Document:
        """送审."""
        return self._view(
            commands.submit_document(
                self._desk, caller(), request_of(request), request.document, list(request.reviewers), request.leader,
                request.opinion,
            )
        )  # fmt: skip

    def ReviewDocument(self, request: pb.StepRequest, _: Any) -> pb.Document:
        """审核."""
        return self._step(commands.review_document, request)

    def ReturnDocument(self, request: pb.StepRequest, _: Any) -> pb.Document:
        """退回."""
        return self._step(commands.return_document, request)

    def SignOffDocument(self, request: pb.StepRequest, _: Any) -> pb.Document:
        """签发."""
        return self._step(commands.sign_off_document, request)

    def ConcludeDocument(self, request: pb.StepRequest, _: Any) -> pb.Document:
        """办结."""
        return self._step(commands.conclude_document, request)

    def WithdrawDocument(self, request: pb.StepRequest, _: Any) -> pb.Document:
        """撤回."""
        return self._step(commands.withdraw_document, request)

    def DispatchDocument(self, request: pb.DispatchDocumentRequest, _: Any) -> pb.Document:
        """核发."""
        return self._view(
            commands.dispatch_document(
                self._desk, caller(), request_of(request), request.document, list(request.units)
            )
        )

    def FindByCode(self, request: pb.FindByCodeRequest, _: Any) -> pb.FindByCodeResponse:
        """The record behind a photographed code, if the caller may see it."""
        try:
            found = scan.find_in_image(request.picture)
        except PrintingError as problem:
            raise InvalidInput(
                "UNREADABLE_PICTURE", problem.zh, problem.en, {"picture": problem.zh}
            ) from problem
        if found is None:
            raise invalid(picture="图片中没有识别到公文二维码，请正对条码、补足光线后重拍。")
        claim = self._desk.numbers.get(found.document_number)
        if claim is None:
            raise not_found("公文")
        return self._found(claim["holder"])

    def _found(self, key: str) -> pb.FindByCodeResponse:
        document, principal = self._desk.documents.get(key), caller()
        answer = pb.FindByCodeResponse(document_number=document.number, title=document.elements.title)
        if access.may_read(document, principal):
            answer.id, answer.link = key, f"/documents/outgoing/{key}"
            return answer
        for unit in dict.fromkeys(self._desk.directory.organisation(unit) for unit in principal.units):
            delivery = self._desk.deliveries.find(f"{key}|{unit}")
            if delivery and principal.tokens & delivery.readers() and delivery.level <= principal.clearance:
                answer.id, answer.link = delivery.id, f"/documents/incoming/{delivery.id}"
                return answer
        raise not_found("公文")

    def _step(self, command: Any, request: pb.StepRequest) -> pb.Document:
        return self._view(
            command(self._desk, caller(), request_of(request), request.document, request.opinion)
        )
