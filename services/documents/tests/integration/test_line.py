"""One document's whole way through the service's own door, on the real engines."""

from __future__ import annotations

import io
import itertools
import threading
import uuid
from concurrent.futures import ThreadPoolExecutor

import pypdfium2
import pytest
from tongban.documents.v1 import documents_pb2 as pb

from chassis.client import typed
from chassis.errors import Conflict, Forbidden, InvalidInput, NotFound, WrongState
from services.documents.printing.tests.measuring import code_in
from services.documents.tests.integration.conftest import PEOPLE
from tests.inprocess import InProcess, eventually, token

AS = {person: token(person, *posts) for person, posts in PEOPLE.items()}
_count = itertools.count(1)


def rid() -> str:
    """A fresh request id."""
    return uuid.uuid4().hex


def draft(service: InProcess, *units: str, **elements: object) -> pb.Document:
    """A draft of the clerk's."""
    given = {
        "genre": "通知",
        "title": f"关于做好第{next(_count)}次检查的通知",
        "body": "一、总体要求\n各单位要认真落实。",
    }
    wish = pb.Elements(**{**given, "addressees": units or ["fgw"], **elements})
    return service.call(
        "CreateDocument", pb.CreateDocumentRequest(elements=wish, request_id=rid()), AS["clerk"]
    )


def signed(service: InProcess, *units: str, **elements: object) -> pb.Document:
    """A document that the leader has signed off."""
    made = draft(service, *units, **elements)
    submit(service, made, "head")
    service.call(
        "ReviewDocument", pb.StepRequest(document=made.document, opinion="同意", request_id=rid()), AS["head"]
    )
    return sign_off(service, made)


def submit(service: InProcess, made: pb.Document, *reviewers: str) -> pb.Document:
    """Send it on its way."""
    wish = pb.SubmitDocumentRequest(
        document=made.document, reviewers=reviewers, leader="boss", request_id=rid()
    )
    return service.call("SubmitDocument", wish, AS["clerk"])


def sign_off(service: InProcess, made: pb.Document, request_id: str = "") -> pb.Document:
    """The leader signs."""
    wish = pb.StepRequest(
        document=made.document, opinion="同意，请抓紧印发。", request_id=request_id or rid()
    )
    return service.call("SignOffDocument", wish, AS["boss"])


def dispatched(service: InProcess, *units: str, **elements: object) -> pb.Document:
    """A document that has reached its units."""
    made = signed(service, *units, **elements)
    sent = service.call(
        "DispatchDocument", pb.DispatchDocumentRequest(document=made.document, request_id=rid()), AS["clerk"]
    )
    for progress in sent.progress:
        eventually(lambda unit=progress.unit: look(service, f"{made.document}|{unit}", f"{unit}-clerk"))
    return sent


def look(service: InProcess, delivery: str, person: str) -> pb.Delivery | None:
    """The delivery, or None while it is not there."""
    try:
        return service.call("GetDelivery", pb.GetDeliveryRequest(delivery=delivery), AS[person])
    except NotFound:
        return None


def do(service: InProcess, method: str, delivery: str, person: str, **more: str) -> pb.Delivery:
    """One step of a unit."""
    return service.call(
        method, pb.DeliveryStepRequest(delivery=delivery, request_id=rid(), **more), AS[person]
    )


def received(service: InProcess, **elements: object) -> tuple[pb.Document, str]:
    """A document that the bureau has registered."""
    sent = dispatched(service, "fgw", **elements)
    delivery = f"{sent.document}|fgw"
    do(service, "SignFor", delivery, "fgw-clerk")
    do(service, "Register", delivery, "fgw-clerk")
    return sent, delivery


def pass_on(service: InProcess, delivery: str, handlers: list[str], readers: list[str]) -> pb.Delivery:
    """The bureau's clerk distributes it."""
    wish = pb.PassOnRequest(
        delivery=delivery, handlers=handlers, readers=readers, proposal="请综合科牵头。", request_id=rid()
    )
    return service.call("PassOn", wish, AS["fgw-clerk"])


def read_file(service: InProcess, document: str, digest: str, person: str) -> bytes:
    """The bytes of a file."""
    answer = service.call("ReadFile", pb.ReadFileRequest(document=document, digest=digest), AS[person])
    return b"".join(piece.data for piece in typed(answer))


def test_the_whole_line(documents: InProcess) -> None:
    made = signed(documents, "fgw", "czj", copies=["wjj"], reply_required=True)
    assert made.state == "numbered"
    assert made.document_number.startswith("云政办发〔")
    pdf = read_file(documents, made.document, made.printed.digest, "clerk")
    assert pdf.startswith(b"%PDF")
    assert code_in(pdf).document_number == made.document_number

    sent = documents.call(
        "DispatchDocument", pb.DispatchDocumentRequest(document=made.document, request_id=rid()), AS["clerk"]
    )
    assert {progress.unit for progress in sent.progress} == {"fgw", "czj", "wjj"}
    fgw = f"{made.document}|fgw"
    eventually(lambda: look(documents, fgw, "fgw-clerk"))
    do(documents, "SignFor", fgw, "fgw-clerk")
    registered = do(documents, "Register", fgw, "fgw-clerk")
    assert registered.incoming_number.startswith("收〔")
    after = pass_on(documents, fgw, ["fgw-zonghe", "fgw-touzi"], ["fgw-boss"])
    assert [item.lead for item in after.items if item.kind == "handle"] == [True, False]

    do(documents, "SendBack", fgw, "touzi", opinion="不属我科职责。")
    with pytest.raises(WrongState):
        do(documents, "Answer", fgw, "fgw-clerk", opinion="已办理。")
    pass_on(documents, fgw, ["fgw-touzi"], [])
    do(documents, "Handle", fgw, "zonghe", opinion="已完成。")
    do(documents, "Handle", fgw, "touzi", opinion="已配合。")
    answered = do(documents, "Answer", fgw, "fgw-clerk", opinion="我局已办理完毕。")
    assert answered.state == "answered"
    assert do(documents, "MarkRead", fgw, "fgw-boss").state == "concluded"

    # The other addressee returns it, the office sends it again; the copy is only noted.
    czj, wjj = f"{made.document}|czj", f"{made.document}|wjj"
    do(documents, "ReturnToSender", czj, "czj-clerk", opinion="缺少附件。")
    again = documents.call(
        "Resend", pb.DeliveryStepRequest(delivery=czj, opinion="附件见后。", request_id=rid()), AS["clerk"]
    )
    assert again.state == "sent"
    documents.call(
        "UrgeDelivery",
        pb.DeliveryStepRequest(delivery=czj, opinion="请速办。", request_id=rid()),
        AS["clerk"],
    )
    for unit, delivery in (("czj", czj), ("wjj", wjj)):
        do(documents, "SignFor", delivery, f"{unit}-clerk")
        do(documents, "Register", delivery, f"{unit}-clerk")
    do(documents, "Answer", czj, "czj-clerk", opinion="已办。")
    do(documents, "ConcludeDelivery", wjj, "wjj-clerk")

    def ended() -> pb.Document | None:
        found = documents.call("GetDocument", pb.GetDocumentRequest(document=made.document), AS["clerk"])
        return found if found.state == "concluded" else None

    done = eventually(ended)
    assert not [item for item in done.items if not item.outcome]
    rows = {progress.unit: progress for progress in done.progress}
    assert rows["fgw"].answer == "我局已办理完毕。"
    assert [(one.holder, one.outcome) for one in rows["fgw"].handlings] == [
        ("u:fgw-zonghe:member", "done"), ("u:fgw-touzi:member", "returned"), ("u:fgw-touzi:member", "done"),
    ]  # fmt: skip
    assert rows["czj"].urged == 1
    assert {reading.person for reading in rows["fgw"].readings} >= {"fgw-clerk"}


def test_numbers_have_no_gap_and_no_double_under_100_parallel_issuers(documents: InProcess) -> None:
    """# check 52"""
    waiting = [submit(documents, draft(documents)) for _ in range(100)]
    first = sign_off(documents, submit(documents, draft(documents))).document_number
    with ThreadPoolExecutor(100) as pool:
        numbers = [one.document_number for one in pool.map(lambda made: sign_off(documents, made), waiting)]
    start = int(first.partition("〕")[2].rstrip("号"))
    assert sorted(int(number.partition("〕")[2].rstrip("号")) for number in numbers) == list(
        range(start + 1, start + 101)
    )


def test_the_same_request_100_times_in_parallel_is_one_effect(documents: InProcess) -> None:
    """# check 42 (the service's part)"""
    made, request_id = submit(documents, draft(documents)), rid()
    go = threading.Barrier(100)

    def once(_: int) -> pb.Document:
        go.wait()
        return sign_off(documents, made, request_id)

    with ThreadPoolExecutor(100) as pool:
        answers = list(pool.map(once, range(100)))
    found = documents.call("GetDocument", pb.GetDocumentRequest(document=made.document), AS["boss"])
    assert {answer.document_number for answer in answers} == {found.document_number}
    assert sum(entry.action == "签发" for entry in found.course) == 1
    with pytest.raises(InvalidInput, match="REQUEST_ID_REUSED"):
        documents.call(
            "SignOffDocument",
            pb.StepRequest(document=made.document, opinion="别的", request_id=request_id),
            AS["boss"],
        )


def test_who_may_not_see_it_learns_nothing(documents: InProcess) -> None:
    made = draft(documents)
    for person in ("fgw-clerk", "zonghe", "boss"):
        with pytest.raises(NotFound):
            documents.call("GetDocument", pb.GetDocumentRequest(document=made.document), AS[person])
    sent, delivery = received(documents)
    for person in ("zonghe", "czj-clerk"):
        with pytest.raises(NotFound):
            documents.call("GetDelivery", pb.GetDeliveryRequest(delivery=delivery), AS[person])
    with pytest.raises(NotFound):
        documents.call("GetDocument", pb.GetDocumentRequest(document=sent.document), AS["fgw-clerk"])
    with pytest.raises(NotFound):
        read_file(documents, delivery, sent.printed.digest, "zonghe")
    with pytest.raises(Forbidden):
        documents.call("SignFor", pb.DeliveryStepRequest(delivery=delivery, request_id=rid()), AS["zonghe"])


def test_the_registers_show_ones_own_write_at_once(documents: InProcess) -> None:
    made = draft(documents, title="关于加强森林防火工作的通知")
    found = documents.call("ListDocuments", pb.ListRequest(words="森林防火"), AS["clerk"])
    assert [row.id for row in found.rows] == [made.document]
    hidden = documents.call("ListDocuments", pb.ListRequest(words="森林防火"), AS["fgw-clerk"])
    assert (hidden.total, dict(hidden.states)) == (0, {})


def test_a_stale_etag_is_refused(documents: InProcess) -> None:
    made = draft(documents)
    wish = pb.UpdateDocumentRequest(
        document=made.document, elements=made.elements, request_id=rid(), etag=made.etag
    )
    documents.call("UpdateDocument", wish, AS["clerk"])
    wish.request_id = rid()
    with pytest.raises(Conflict):
        documents.call("UpdateDocument", wish, AS["clerk"])


def test_a_picture_of_the_code_finds_the_record_for_those_who_may_see_it(documents: InProcess) -> None:
    sent = dispatched(documents, "fgw")
    pdf = pypdfium2.PdfDocument(read_file(documents, sent.document, sent.printed.digest, "clerk"))
    picture = io.BytesIO()
    pdf[len(pdf) - 1].render(scale=200 / 72).to_pil().convert("L").save(picture, "JPEG", quality=60)
    wish = pb.FindByCodeRequest(picture=picture.getvalue())
    assert documents.call("FindByCode", wish, AS["clerk"]).link == f"/documents/outgoing/{sent.document}"
    assert (
        documents.call("FindByCode", wish, AS["fgw-clerk"]).link == f"/documents/incoming/{sent.document}|fgw"
    )
    with pytest.raises(NotFound):
        documents.call("FindByCode", wish, AS["czj-clerk"])


def test_ending_early_leaves_no_obligation_open(documents: InProcess) -> None:
    sent, delivery = received(documents, reply_required=True)
    pass_on(documents, delivery, ["fgw-zonghe"], ["fgw-boss"])
    documents.call(
        "ConcludeDocument",
        pb.StepRequest(document=sent.document, opinion="情况已变化", request_id=rid()),
        AS["clerk"],
    )
    done = eventually(
        lambda: (found := look(documents, delivery, "fgw-clerk")) and found.state == "concluded" and found
    )
    assert not [item for item in done.items if not item.outcome]
