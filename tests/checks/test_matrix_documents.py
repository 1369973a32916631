"""Who may do what with official documents, on both sides: all methods, everybody, each at the right moment of a document's life."""

from __future__ import annotations

import io
import os

import pypdfium2
import pytest
from tongban.documents.v1 import documents_pb2 as pb
from tongban.documents.v1 import documents_pb2_grpc as stubs

from chassis.process import Service
from deploy.local.cache import tools
from services.documents import events, rpc
from services.documents.registry import registry
from services.documents.repository import repositories
from tests.checks.matrix import Matrix, cast
from tests.inprocess import InProcess, directory_of, eventually

pytestmark = [pytest.mark.integration, pytest.mark.timeout(300)]
ROLES = ("registrar", "leader", "head", "member")
UNITS = [
    ("qfb", "区政府办公室", "", "organisation"), ("qfb-mishu", "秘书科", "qfb", "division"),
    ("qfb-zonghe", "综合科", "qfb", "division"), ("fgw", "发展和改革局", "", "organisation"),
    ("fgw-zonghe", "综合科", "fgw", "division"), ("fgw-touzi", "投资科", "fgw", "division"),
    ("fgw-bgs", "办公室", "fgw", "division"), ("czj", "财政局", "", "organisation"), ("wjj", "卫生健康局", "", "organisation"),
]  # fmt: skip
# Colleague, neighbour, peer and stranger hold every post that there is in their own unit, so that only the object can refuse them.
PEOPLE = {
    "drafter": ["qfb-mishu:member"], "reviewer": ["qfb-mishu:head"], "leader": ["qfb:leader"], "registrar": ["qfb:registrar"],
    "colleague": [f"qfb-mishu:{role}" for role in ROLES], "neighbour": [f"qfb-zonghe:{role}" for role in ROLES],
    "fgw-clerk": ["fgw:registrar"], "fgw-chief": ["fgw:leader"], "handler": ["fgw-zonghe:member"],
    "second": ["fgw-touzi:member"], "peer": [f"fgw-bgs:{role}" for role in ROLES], "czj-clerk": ["czj:registrar"],
    "stranger": [f"wjj:{role}" for role in ROLES],
}  # fmt: skip


@pytest.fixture(scope="module")
def matrix(engines, tmp_path_factory):
    directory = directory_of(UNITS, PEOPLE)
    for unit in directory.units():
        unit.organ_code = f"云{unit.unit}" if unit.kind == "organisation" else ""
    service = Service("documents", rpc.WHO, rpc.add, repositories, events.consumers, registry)
    running = InProcess(
        service, engines["mongo"], engines["nats"], tmp_path_factory.mktemp("documents"), directory
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TONGBAN_FONTS", os.environ.get("TONGBAN_FONTS") or str(tools().fonts))
        with running.running(stubs.DocumentServiceStub, stubs.DeliveryServiceStub) as ready:
            yield Matrix(ready, rpc.WHO, cast(PEOPLE), engines["mongo"])


def draft(matrix, *units):
    elements = pb.Elements(
        genre="通知", title="关于矩阵的通知", body="正文。", addressees=units, reply_required=True
    )
    request = pb.CreateDocumentRequest(elements=elements, drafting_unit="qfb-mishu", request_id="0" * 8)
    # Anybody may draft, but only in a unit of one's own.
    others = dict.fromkeys(PEOPLE, "PERMISSION_DENIED")
    return matrix.step("CreateDocument", request, "drafter", also=("reviewer", "colleague"), known=others)


def test_outgoing_and_incoming_documents(matrix):
    """# check 19: documents; refused calls are counted with their effect, which must be none."""
    made = draft(matrix, "fgw", "czj", "wjj")
    key = {"document": made.document}
    before_the_draft_leaves(matrix, made, key)
    on_its_way_up(matrix, key)
    sent(matrix, key)
    at_the_unit(matrix, f"{made.document}|fgw")
    at_another_unit(matrix, f"{made.document}|czj")
    lists(matrix, made.document)
    # Who received it knows that it ended, and not how: the issuing side's own document stays closed to them.
    issuers = dict.fromkeys(("drafter", "leader"), "PERMISSION_DENIED")
    matrix.step("ConcludeDocument", pb.StepRequest(**key, opinion="已办完"), "registrar", known=issuers)
    again = draft(matrix, "fgw")
    matrix.step("WithdrawDocument", pb.StepRequest(document=again.document, opinion="不发了"), "drafter")
    matrix.settle()
    print(
        f"check 19: documents: {len(matrix.covered)} methods, {matrix.cells} cells, 100 % equal; {dict(matrix.seen)}"
    )


def before_the_draft_leaves(matrix, made, key):
    """A draft is its drafter's alone; not even the office knows of it."""
    matrix.step("GetDocument", pb.GetDocumentRequest(**key), "drafter")
    update = pb.UpdateDocumentRequest(**key, elements=made.elements)
    matrix.step("UpdateDocument", update, "drafter")
    upload = [
        pb.AttachFileRequest(attach=pb.Attach(**key, name="附件.txt", media_type="text/plain")),
        pb.AttachFileRequest(piece=b"x"),
    ]
    file = matrix.step("AttachFile", upload, "drafter").files[0]
    matrix.step("ReadFile", pb.ReadFileRequest(**key, digest=file.digest), "drafter")
    matrix.step("RemoveFile", pb.RemoveFileRequest(**key, digest=file.digest), "drafter")
    submit = pb.SubmitDocumentRequest(**key, reviewers=["reviewer"], leader="leader")
    matrix.step("SubmitDocument", submit, "drafter")


def on_its_way_up(matrix, key):
    """A step is its holder's; those who may read the document are told that the step is not theirs."""
    reads = {"drafter": "FAILED_PRECONDITION", "registrar": "FAILED_PRECONDITION"}
    matrix.step("ReturnDocument", pb.StepRequest(**key, opinion="请修改。"), "reviewer", known=reads)
    submit = pb.SubmitDocumentRequest(**key, reviewers=["reviewer"], leader="leader")
    matrix.step(
        "SubmitDocument",
        submit,
        "drafter",
        known={"reviewer": "PERMISSION_DENIED", "registrar": "PERMISSION_DENIED"},
    )
    matrix.step("ReviewDocument", pb.StepRequest(**key, opinion="同意"), "reviewer", known=reads)
    matrix.step("SignOffDocument", pb.StepRequest(**key, opinion="同意"), "leader")


def sent(matrix, key):
    """The office sends it; whoever had a part in it reads it, and the units only get their deliveries."""
    matrix.step("DispatchDocument", pb.DispatchDocumentRequest(**key), "registrar")
    delivery = f"{key['document']}|fgw"
    get = pb.GetDeliveryRequest(delivery=delivery)
    eventually(lambda: matrix._ask("GetDelivery", get, "fgw-clerk")[0] == "OK")
    matrix.step(
        "GetDocument", pb.GetDocumentRequest(**key), "registrar", also=("drafter", "reviewer", "leader")
    )
    urge = pb.DeliveryStepRequest(delivery=delivery, opinion="请速办")
    matrix.step("UrgeDelivery", urge, "registrar")


def at_the_unit(matrix, delivery):
    """The receiving side: its registrars and leaders, then whoever is given a step. The issuing side sees nothing of it."""
    key = {"delivery": delivery}
    matrix.step("GetDelivery", pb.GetDeliveryRequest(**key), "fgw-clerk", also=("fgw-chief",))
    matrix.step("SignFor", pb.DeliveryStepRequest(**key), "fgw-clerk")
    matrix.step("Register", pb.DeliveryStepRequest(**key), "fgw-clerk")
    passed = pb.PassOnRequest(
        **key, handlers=["fgw-zonghe"], readers=["fgw-chief"], proposal="请综合科办理。"
    )
    matrix.step("PassOn", passed, "fgw-clerk")
    reads = {"fgw-clerk": "FAILED_PRECONDITION", "fgw-chief": "FAILED_PRECONDITION"}
    forward = pb.ForwardRequest(**key, to="fgw-touzi", opinion="请投资科办理")
    matrix.step("Forward", forward, "handler", known=reads)
    # The handler gave it away and had a part in it; the second has it now.
    reads = {**reads, "handler": "FAILED_PRECONDITION"}
    matrix.step("SendBack", pb.DeliveryStepRequest(**key, opinion="不属我科"), "second", known=reads)
    matrix.step(
        "PassOn", passed, "fgw-clerk", known={"second": "PERMISSION_DENIED", "handler": "PERMISSION_DENIED"}
    )
    reads = {**reads, "second": "FAILED_PRECONDITION"}
    matrix.step("Handle", pb.DeliveryStepRequest(**key, opinion="已办理"), "handler", known=reads)
    reads = {
        "fgw-clerk": "FAILED_PRECONDITION",
        "handler": "FAILED_PRECONDITION",
        "second": "FAILED_PRECONDITION",
    }
    matrix.step("MarkRead", pb.DeliveryStepRequest(**key), "fgw-chief", known=reads)
    known = {"fgw-chief": "PERMISSION_DENIED", "second": "PERMISSION_DENIED"}
    # The lead handler may answer as well; here it is the registrar who does.
    people = {name: one for name, one in matrix.people.items() if name != "handler"}
    whole, matrix.people = matrix.people, people
    matrix.step("Answer", pb.DeliveryStepRequest(**key, opinion="已办结"), "fgw-clerk", known=known)
    matrix.people = whole


def at_another_unit(matrix, delivery):
    """Returned and sent again, returned and left at that, and a third one concluded."""
    key = {"delivery": delivery}
    eventually(lambda: matrix._ask("GetDelivery", pb.GetDeliveryRequest(**key), "czj-clerk")[0] == "OK")
    matrix.step("ReturnToSender", pb.DeliveryStepRequest(**key, opinion="缺附件"), "czj-clerk")
    matrix.step("Resend", pb.DeliveryStepRequest(**key, opinion="已补"), "registrar")
    matrix.step("ReturnToSender", pb.DeliveryStepRequest(**key, opinion="不属我局"), "czj-clerk")
    matrix.step("AcceptReturn", pb.DeliveryStepRequest(**key, opinion="同意"), "registrar")
    other = draft(matrix, "czj")
    submit = pb.SubmitDocumentRequest(document=other.document, leader="leader")
    matrix._ask(
        "UpdateDocument", pb.UpdateDocumentRequest(document=other.document, elements=plain(other)), "drafter"
    )
    for method, request, person in (
        ("SubmitDocument", submit, "drafter"), ("SignOffDocument", pb.StepRequest(document=other.document), "leader"),
        ("DispatchDocument", pb.DispatchDocumentRequest(document=other.document), "registrar"),
    ):  # fmt: skip
        assert matrix._ask(method, request, person)[0] == "OK", method
    key = {"delivery": f"{other.document}|czj"}
    eventually(lambda: matrix._ask("SignFor", pb.DeliveryStepRequest(**key), "czj-clerk")[0] == "OK")
    assert matrix._ask("Register", pb.DeliveryStepRequest(**key), "czj-clerk")[0] == "OK"
    matrix.step("ConcludeDelivery", pb.DeliveryStepRequest(**key, opinion="已阅存"), "czj-clerk")


def plain(document):
    elements = pb.Elements()
    elements.CopyFrom(document.elements)
    elements.reply_required = False
    return elements


def lists(matrix, document):
    """What has no object: everybody is answered, out of their own."""
    issuing = {"drafter", "reviewer", "leader", "registrar"}
    receiving = {"fgw-clerk", "fgw-chief", "handler", "second", "czj-clerk", "stranger"}

    def outgoing(person, answer):
        return (document in {row.id for row in answer.rows}) == (person in issuing) and answer.total >= len(
            answer.rows
        )

    def incoming(person, answer):
        mine = {row.id for row in answer.rows}
        unit = {"czj-clerk": "czj", "stranger": "wjj"}.get(person, "fgw")
        return mine <= {row for row in mine if row.endswith(f"|{unit}")} and (
            f"{document}|{unit}" in mine
        ) == (person in receiving)

    matrix.open("ListDocuments", pb.ListRequest(page_size=100), outgoing)
    matrix.open("ListDeliveries", pb.ListRequest(page_size=100), incoming)
    text = pb.ReadBodyRequest(name="a.txt", content="正文。".encode())
    matrix.open("ReadBody", text, lambda _person, answer: answer.body == "正文。")
    found = matrix._ask("GetDocument", pb.GetDocumentRequest(document=document), "registrar")[1]
    pieces = matrix._ask(
        "ReadFile", pb.ReadFileRequest(document=document, digest=found.printed.digest), "registrar"
    )[1]
    pdf = pypdfium2.PdfDocument(b"".join(piece.data for piece in pieces))
    picture = io.BytesIO()
    pdf[len(pdf) - 1].render(scale=200 / 72).to_pil().convert("L").save(picture, "JPEG", quality=60)
    code = pb.FindByCodeRequest(picture=picture.getvalue())
    others = dict.fromkeys(set(PEOPLE) - issuing - receiving, "NOT_FOUND")

    def right_side(person, answer):
        return answer.link.startswith("/documents/outgoing/" if person in issuing else "/documents/incoming/")

    matrix.open("FindByCode", code, right_side, closed=others)
