"""Pages of incoming documents: one page per delivery, on which every step is taken."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, render_template, request, url_for
from flask.typing import ResponseReturnValue
from tongban.documents.v1 import documents_pb2 as pb

from chassis.errors import TongbanError
from chassis.times import stamp
from chassis.web import form_errors, form_request_id, form_time, go
from chassis.web.files import uploads
from services.documents.pages.common import attaching, deliveries, documents

views = Blueprint("incoming", __name__)

STEPS = {
    "sign-for": (deliveries.SignFor, "已签收"),
    "register": (deliveries.Register, "已登记"),
    "return-to-sender": (deliveries.ReturnToSender, "已退回来文单位"),
    "handle": (deliveries.Handle, "已办结本部门事项"),
    "send-back": (deliveries.SendBack, "已退回文书"),
    "mark-read": (deliveries.MarkRead, "已阅"),
    "answer": (deliveries.Answer, "已答复"),
    "conclude": (deliveries.ConcludeDelivery, "已办结"),
}
ISSUER_STEPS = {
    "urge": (deliveries.UrgeDelivery, "已催办"),
    "resend": (deliveries.Resend, "已重新发送"),
    "accept-return": (deliveries.AcceptReturn, "已同意退文"),
}


@views.get("/incoming/<delivery>")
def show(delivery: str) -> ResponseReturnValue:
    """One delivery: the document, the unit's course, what the reader may do now."""
    return _page(delivery)


@views.post("/incoming/<delivery>/do/<any(" + ",".join(f"'{name}'" for name in STEPS) + "):what>")
def act(delivery: str, what: str) -> ResponseReturnValue:
    """One step of the receiving unit."""
    call, said = STEPS[what]
    try:
        if what == "answer":
            for upload in uploads("files"):
                documents.AttachFile(attaching(upload, delivery))
        done = call(_wish(delivery))
    except TongbanError as problem:
        if not form_errors(problem):
            raise
        return _page(delivery), 422
    if what == "register":
        said = f"已登记，收文号 {done.incoming_number}"
    return go(url_for(".show", delivery=delivery), said)


@views.post("/incoming/<delivery>/pass-on")
def pass_on(delivery: str) -> ResponseReturnValue:
    """拟办分送."""
    form = request.form
    wish = pb.PassOnRequest(
        delivery=delivery, handlers=[*form.getlist("handlers"), *form.getlist("people")], readers=form.getlist("readers"),
        proposal=form.get("opinion", ""), request_id=form_request_id(), due_at=stamp(form_time("due_at")),
    )  # fmt: skip
    try:
        deliveries.PassOn(wish)
    except TongbanError as problem:
        if not form_errors(problem):
            raise
        return _page(delivery), 422
    return go(url_for(".show", delivery=delivery), "已分送")


@views.post("/incoming/<delivery>/forward")
def forward(delivery: str) -> ResponseReturnValue:
    """转办."""
    form = request.form
    to = form.get("to_person") or form.get("to_unit", "")
    try:
        deliveries.Forward(
            pb.ForwardRequest(
                delivery=delivery, item=form.get("item", ""), to=to, opinion=form.get("opinion", ""),
                request_id=form_request_id(),
            )
        )  # fmt: skip
    except TongbanError as problem:
        if not form_errors(problem):
            raise
        return _page(delivery), 422
    return go(url_for("overview.incoming_register"), "已转办")


@views.post("/incoming/<delivery>/issuer/<any('urge','resend','accept-return'):what>")
def issuer_act(delivery: str, what: str) -> ResponseReturnValue:
    """One step of the issuing office about this unit."""
    call, said = ISSUER_STEPS[what]
    call(_wish(delivery))
    return go(url_for("outgoing.show", document=delivery.partition("|")[0]) + "#units", said)


def _wish(delivery: str) -> pb.DeliveryStepRequest:
    form = request.form
    return pb.DeliveryStepRequest(
        delivery=delivery,
        opinion=form.get("opinion", ""),
        item=form.get("item", ""),
        request_id=form_request_id(),
    )


def _page(delivery: str) -> str:
    found = deliveries.GetDelivery(pb.GetDeliveryRequest(delivery=delivery))
    return render_template("incoming.html", delivery=found, steps=_steps(found))


def _steps(delivery: pb.Delivery) -> list[dict[str, Any]]:
    """The unit's way as a stepper."""
    order = ["sent", "signed_for", "registered", "handling", "answered", "concluded"]
    names = ["签收", "登记", "拟办分送", "承办", "答复", "办结"]
    state = {"returned": "sent", "return_accepted": "concluded"}.get(delivery.state, delivery.state)
    at = order.index(state)
    # The states name what is done; the step that comes next is the current one.
    handling = any(item.kind == "handle" and not item.outcome for item in delivery.items)
    if state == "answered" or (state == "handling" and not handling):
        at = 4 if state == "handling" and delivery.content.reply_required else 5
    steps = []
    for index, name in enumerate(names):
        if name == "答复" and not delivery.content.reply_required:
            continue
        mark = "done" if index < at or state == "concluded" else "current" if index == at else "waiting"
        if delivery.state == "returned" and index == 0:
            mark = "returned"
        steps.append({"title": name, "state": mark})
    return steps
