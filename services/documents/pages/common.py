"""What the pages of this service share: the stubs, the words, reading forms."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from flask import request
from tongban.documents.v1 import documents_pb2 as pb
from tongban.documents.v1 import documents_pb2_grpc as stubs
from werkzeug.datastructures import FileStorage

from chassis.client import Client
from chassis.web import form_request_id
from chassis.web.files import pieces

documents = Client("documents", stubs.DocumentServiceStub)
deliveries = Client("documents", stubs.DeliveryServiceStub)

OUTGOING_STATES = {
    "draft": "草稿", "review": "审核中", "sign_off": "待签发", "signed": "编号中", "numbered": "待核发",
    "dispatched": "已发出", "concluded": "已办结", "withdrawn": "已撤回",
}  # fmt: skip
INCOMING_STATES = {
    "sending": "发送中", "sent": "待签收", "signed_for": "待登记", "registered": "待分送", "handling": "办理中",
    "answered": "已答复", "concluded": "已办结", "returned": "已退回", "return_accepted": "已退文",
}  # fmt: skip
TONES = {
    "draft": "neutral", "review": "info", "sign_off": "warn", "signed": "info", "numbered": "warn",
    "dispatched": "info", "concluded": "good", "withdrawn": "neutral", "sending": "neutral", "sent": "warn",
    "signed_for": "info", "registered": "info", "handling": "info", "answered": "good", "returned": "bad",
    "return_accepted": "neutral",
}  # fmt: skip


def step() -> pb.StepRequest:
    """The step that the posted form describes."""
    return pb.StepRequest(opinion=request.form.get("opinion", ""), request_id=form_request_id())


def attaching(upload: FileStorage, document: str) -> Iterator[pb.AttachFileRequest]:
    """An uploaded file as the messages of AttachFile."""
    yield pb.AttachFileRequest(
        attach=pb.Attach(
            document=document,
            name=upload.filename or "",
            media_type=upload.mimetype or "",
            request_id=form_request_id(),
        )
    )
    for piece in pieces(upload):
        yield pb.AttachFileRequest(piece=piece)


def listing(call: Callable[[pb.ListRequest], pb.ListResponse], mine: str = "") -> pb.ListResponse:
    """A page of a register, as the query string asks for it."""
    asked = request.args
    return call(
        pb.ListRequest(
            words=asked.get("q", ""), state=asked.get("state", ""), genre=asked.get("genre", ""),
            unit=asked.get("unit", ""), page_size=20, page_token=asked.get("cursor", ""), mine=mine,
        )
    )  # fmt: skip
