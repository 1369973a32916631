"""Pages of outgoing documents: draft, page of a document, its steps."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, render_template, request, url_for
from flask.typing import ResponseReturnValue
from tongban.documents.v1 import documents_pb2 as pb

from chassis.errors import TongbanError
from chassis.times import stamp
from chassis.web import form_errors, form_request_id, form_time, go
from chassis.web.files import uploads
from services.documents.pages.common import attaching, documents, step

views = Blueprint("outgoing", __name__)


@views.get("/outgoing/new")
def new() -> ResponseReturnValue:
    """An empty draft."""
    return render_template("edit.html", document=None, elements=pb.Elements(genre="通知"))


@views.post("/outgoing/new")
def create() -> ResponseReturnValue:
    """Save a new draft."""
    elements = _elements()
    try:
        made = documents.CreateDocument(
            pb.CreateDocumentRequest(
                elements=elements,
                request_id=form_request_id(),
                drafting_unit=request.form.get("drafting_unit", ""),
            )
        )
        return _after_save(made)
    except TongbanError as problem:
        if not form_errors(_flat(problem)):
            raise
        return render_template("edit.html", document=None, elements=elements), 422


@views.get("/outgoing/<document>/edit")
def edit(document: str) -> ResponseReturnValue:
    """A draft to go on with."""
    found = documents.GetDocument(pb.GetDocumentRequest(document=document))
    if "update" not in found.actions:
        return go(url_for(".show", document=document), "公文已送审，不能再修改。", "warn")
    return render_template("edit.html", document=found, elements=found.elements)


@views.post("/outgoing/<document>/edit")
def update(document: str) -> ResponseReturnValue:
    """Save changes of a draft."""
    elements = _elements()
    try:
        made = documents.UpdateDocument(
            pb.UpdateDocumentRequest(
                document=document,
                elements=elements,
                request_id=form_request_id(),
                etag=request.form.get("etag", ""),
            )
        )
        return _after_save(made)
    except TongbanError as problem:
        if not form_errors(_flat(problem)):
            raise
        found = documents.GetDocument(pb.GetDocumentRequest(document=document))
        return render_template("edit.html", document=found, elements=elements), 422


@views.get("/outgoing/<document>")
def show(document: str) -> ResponseReturnValue:
    """One document: what is on it, what has happened, what the reader may do now."""
    found = documents.GetDocument(pb.GetDocumentRequest(document=document))
    return render_template("outgoing.html", document=found, steps=_steps(found))


@views.get("/outgoing/<document>/progress")
def progress(document: str) -> ResponseReturnValue:
    """The units' progress alone; refreshed when something happens."""
    found = documents.GetDocument(pb.GetDocumentRequest(document=document))
    return render_template("progress.html", document=found)


@views.post("/outgoing/<document>/files/remove")
def remove_file(document: str) -> ResponseReturnValue:
    """Take a file out of a draft."""
    documents.RemoveFile(
        pb.RemoveFileRequest(
            document=document, digest=request.form.get("digest", ""), request_id=form_request_id()
        )
    )
    return go(url_for(".edit", document=document), "附件已移除")


@views.post("/outgoing/<document>/submit")
def submit(document: str) -> ResponseReturnValue:
    """送审."""
    try:
        documents.SubmitDocument(
            pb.SubmitDocumentRequest(
                document=document, reviewers=request.form.getlist("reviewers"), leader=request.form.get("leader", ""),
                request_id=form_request_id(), opinion=request.form.get("opinion", ""),
            )
        )  # fmt: skip
    except TongbanError as problem:
        if not form_errors(_flat(problem)):
            raise
        found = documents.GetDocument(pb.GetDocumentRequest(document=document))
        return render_template("outgoing.html", document=found, steps=_steps(found)), 422
    return go(url_for(".show", document=document), "已送审")


STEPS = {
    "review": (documents.ReviewDocument, "已审核"),
    "return": (documents.ReturnDocument, "已退回起草人"),
    "sign-off": (documents.SignOffDocument, "已签发"),
    "conclude": (documents.ConcludeDocument, "已办结"),
    "withdraw": (documents.WithdrawDocument, "已撤回"),
}


@views.post("/outgoing/<document>/do/<any('review','return','sign-off','conclude','withdraw'):what>")
def act(document: str, what: str) -> ResponseReturnValue:
    """One step with an opinion."""
    call, said = STEPS[what]
    wish = step()
    wish.document = document
    try:
        done = call(wish)
    except TongbanError as problem:
        if not form_errors(problem):
            raise
        found = documents.GetDocument(pb.GetDocumentRequest(document=document))
        return render_template("outgoing.html", document=found, steps=_steps(found)), 422
    if what == "sign-off" and done.document_number:
        said = f"已签发，文号 {done.document_number}"
    return go(url_for(".show", document=document), said)


@views.post("/outgoing/<document>/dispatch")
def dispatch(document: str) -> ResponseReturnValue:
    """核发."""
    done = documents.DispatchDocument(
        pb.DispatchDocumentRequest(
            document=document, units=request.form.getlist("units"), request_id=form_request_id()
        )
    )
    return go(url_for(".show", document=document), f"已发送，共 {len(done.progress)} 个单位")


def _elements() -> pb.Elements:
    form = request.form
    elements = pb.Elements(
        genre=form.get("genre", "通知"), title=form.get("title", ""), body=form.get("body", "").replace("\r\n", "\n"),
        addressees=form.getlist("addressees"), copies=form.getlist("copies"), urgency=form.get("urgency", ""),
        note=form.get("note", ""), reply_required=form.get("reply_required") == "on",
        reply_by=stamp(form_time("reply_by")),
    )  # fmt: skip
    given = uploads("body_file")
    if given:
        # What was read from the file stands in the body from here on, and can be changed there.
        answer = documents.ReadBody(
            pb.ReadBodyRequest(name=given[0].filename or "", content=given[0].stream.read())
        )
        elements.body = answer.body
    return elements


def _after_save(made: pb.Document) -> ResponseReturnValue:
    for upload in uploads("files"):
        made = documents.AttachFile(attaching(upload, made.document))
    if request.form.get("then") == "submit":
        return go(url_for(".show", document=made.document) + "#submit", "草稿已保存，请选择审核人和签发人")
    return go(url_for(".edit", document=made.document), "草稿已保存")


def _flat(problem: TongbanError) -> TongbanError:
    """The form's fields are named without the message's prefix."""
    problem.fields = {path.rpartition(".")[2]: said for path, said in problem.fields.items()}
    return problem


def _steps(document: pb.Document) -> list[dict[str, Any]]:
    """The way of this document as a stepper: done, current, waiting."""
    order = ["draft", "review", "sign_off", "numbered", "dispatched", "concluded"]
    names = ["拟稿", "审核", "签发", "核发", "办理", "办结归档"]
    who = [
        [document.drafter],
        list(document.reviewers),
        [document.leader] if document.leader else [],
        [],
        [],
        [],
    ]
    state = {"signed": "numbered", "withdrawn": "draft"}.get(document.state, document.state)
    at = order.index(state)
    when = [
        document.created_at,
        None,
        document.signed_at,
        document.dispatched_at,
        None,
        document.concluded_at,
    ]
    present = ["created_at", "", "signed_at", "dispatched_at", "", "concluded_at"]
    steps = []
    for index, name in enumerate(names):
        if name == "审核" and not document.reviewers and at > 1:
            continue
        mark = (
            "done" if index < at or document.state == "concluded" else "current" if index == at else "waiting"
        )
        moment = when[index] if present[index] and document.HasField(present[index]) else None
        steps.append({"title": name, "state": mark, "people": who[index], "when": moment})
    return steps
