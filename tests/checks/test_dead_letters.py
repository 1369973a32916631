"""Events that cannot be taken in: five tries, then the dead letters, while the others go on; and the way back."""

from __future__ import annotations

import hashlib
import time
import uuid

import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from tongban.documents.v1 import documents_pb2, documents_pb2_grpc
from tongban.events.v1 import document_pb2, obligation_pb2
from tongban.knowledge.v1 import knowledge_pb2, knowledge_pb2_grpc
from tongban.tasks.v1 import tasks_pb2, tasks_pb2_grpc

from chassis.consuming import MAX_DELIVER
from chassis.errors import NotFound
from services.knowledge.intake import item_id
from tests.checks.platform import channel, settings_of, subject
from tests.checks.stream import Stream
from tests.inprocess import eventually

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]
CLERK, ADMINISTRATOR, READER = "qfb.mishu1", "sysadmin", "qfb.xinxi"
OTHERS = 40  # good events around the poison, for each of two services


@pytest.fixture(scope="module")
def stream(stack):
    made = Stream(settings_of(stack))
    yield made
    made.close()


def at(stack, unit, kind):
    """A stub of the running service."""
    return kind(channel(stack, unit))


def letters(stranger, people):
    """The dead letters as the administrator lists them, by event id."""
    answer = stranger.get("/api/v1/portal/dead-letters", headers=bearer(people, ADMINISTRATOR))
    assert answer.status_code == 200, answer.text
    return {letter["event"]: letter for letter in answer.json().get("dead_letters", [])}


def bearer(people, username):
    return {"Authorization": f"Bearer {people.token(username)}"}


def tries(stack, process, event):
    """How often the worker says that it failed at this event."""
    lines = [line for line in stack.log(process).read_text(errors="replace").splitlines() if event in line]
    return sum("event failed" in line for line in lines)


def test_a_poisoned_event_stands_aside_and_can_be_replayed(stack, people, stranger, stream):
    """# check 44"""
    documents = at(stack, "documents", documents_pb2_grpc.DocumentServiceStub)
    knowledge = at(stack, "knowledge", knowledge_pb2_grpc.KnowledgeServiceStub)
    tasks = at(stack, "tasks", tasks_pb2_grpc.TaskServiceStub)
    reader = subject(people.token(READER))
    elements = documents_pb2.Elements(
        genre="通知", title="关于附件迟到的通知", body="正文。", addressees=["fgw"]
    )
    draft = people.call(
        documents.CreateDocument, documents_pb2.CreateDocumentRequest(elements=elements), CLERK
    )

    # A file that the document service does not have yet; an obligation of nobody, which will never be right.
    missing = uuid.uuid4().hex.encode() * 500
    file = document_pb2.ArchivedFile(
        name="迟到.bin", digest=hashlib.sha256(missing).hexdigest(), size=len(missing)
    )
    late = concluded(draft.document, reader, files=[file])
    nobodys = obligation_pb2.ObligationOpened(obligation=f"documents|{uuid.uuid4().hex}|1", sequence=1)
    started, sent, items, owed = time.monotonic(), {}, [], []
    for number in range(OTHERS):
        if number == OTHERS // 8:
            poison, hopeless = stream.tell("documents", late), stream.tell("documents", nobodys)
        matter, key = f"{draft.document}|u{number}", f"documents|{uuid.uuid4().hex}|1"
        stream.tell("documents", concluded(matter, reader))
        stream.tell("documents", opened(key, f"p:{reader}"))
        sent[item_id("documents", matter)] = sent[key] = time.monotonic()
        items.append(item_id("documents", matter))
        owed.append(key)

    arrived: dict[str, float] = {}
    while len(arrived) < len(sent):
        todo = people.call(tasks.ListTodo, tasks_pb2.ListTodoRequest(page_size=500), READER)
        there = {one.obligation for one in todo.obligations} & set(owed)
        there |= {item for item in items if item not in arrived and filed(people, knowledge, item)}
        arrived |= {key: time.monotonic() - sent[key] for key in there if key not in arrived}
        assert time.monotonic() - started < 120, f"{len(arrived)} of {len(sent)} arrived"

    found = eventually(lambda: (now := letters(stranger, people)).keys() >= {poison, hopeless} and now, 30)
    took = time.monotonic() - started
    for event, consumer, process in (
        (poison, "knowledge-filing", "knowledge-work"), (hopeless, "tasks-obligations", "tasks-work"),
    ):  # fmt: skip
        assert found[event]["consumer"] == consumer
        assert tries(stack, process, event) == MAX_DELIVER
    assert not filed(people, knowledge, item_id("documents", draft.document))

    # What was missing is brought in, and the administrator sends the event on its way again.
    attach(people, documents, draft.document, missing)
    place = f"/api/v1/portal/dead-letters/{found[poison]['sequence']}:replay"
    for username, code in ((CLERK, 403), (ADMINISTRATOR, 200)):
        headers = {**bearer(people, username), "Idempotency-Key": uuid.uuid4().hex}
        assert stranger.ask("POST", place, headers=headers, json={}).status_code == code
    item = eventually(lambda: filed(people, knowledge, item_id("documents", draft.document)), 60)
    assert [one.digest for one in item.files] == [file.digest]
    left = letters(stranger, people)
    assert poison not in left

    # What will never be right comes back after as many tries; it is not lost, and not tried for ever.
    place = f"/api/v1/portal/dead-letters/{found[hopeless]['sequence']}:replay"
    headers = {**bearer(people, ADMINISTRATOR), "Idempotency-Key": uuid.uuid4().hex}
    assert stranger.ask("POST", place, headers=headers, json={}).status_code == 200
    back = eventually(lambda: letters(stranger, people).get(hopeless), 30)
    assert back["sequence"] != found[hopeless]["sequence"]
    assert tries(stack, "tasks-work", hopeless) == 2 * MAX_DELIVER
    for key in owed:
        closing = obligation_pb2.ObligationClosed(
            obligation=key, sequence=2, outcome="done", by=reader, at=stamp()
        )
        stream.tell("documents", closing)
    print(
        f"check 44: {len(sent)} events around 2 poisoned ones, the slowest took {max(arrived.values()):.2f} s; {MAX_DELIVER}"
        f" tries each, dead letters after {took:.1f} s; replayed from the administration: one taken in, one back again"
    )


def concluded(matter, reader, files=()):
    return document_pb2.DocumentConcluded(
        document=matter, sequence=1, title=f"归档{matter[-6:]}", genre="通知", issuing_unit="qfb", text="正文。",
        readers=[f"p:{reader}"], files=files, concluded_at=stamp(),
    )  # fmt: skip


def opened(key, holder):
    return obligation_pb2.ObligationOpened(
        obligation=key, sequence=1, holder=holder, kind="documents.read", action="阅知", title="毒丸旁边的事项",
        link="/documents/", sender_unit="qfb", opened_at=stamp(),
    )  # fmt: skip


def stamp():
    made = Timestamp()
    made.GetCurrentTime()
    return made


def filed(people, knowledge, item):
    """The item, or None while it is not there."""
    try:
        return people.call(knowledge.GetItem, knowledge_pb2.GetItemRequest(item=item), READER)
    except NotFound:
        return None


def attach(people, documents, document, data):
    """Attach a file to a draft, as its drafter."""
    header = documents_pb2.Attach(document=document, name="迟到.bin", request_id=uuid.uuid4().hex)
    pieces = [documents_pb2.AttachFileRequest(attach=header), documents_pb2.AttachFileRequest(piece=data)]
    documents.AttachFile(
        iter(pieces), timeout=20, metadata=[("authorization", f"Bearer {people.token(CLERK)}")]
    )
