"""Concluded documents become items: once, whole, whatever order the events come in."""

from __future__ import annotations

import hashlib
import random
import time
import uuid

import pytest
from tongban.events.v1 import document_pb2 as events
from tongban.knowledge.v1 import knowledge_pb2 as pb

from chassis.deadletters import DeadLetters
from chassis.errors import Forbidden, NotFound
from services.knowledge.intake import item_id
from services.knowledge.tests.integration.conftest import AS
from tests.inprocess import eventually

pytestmark = pytest.mark.integration


def concluded(documents, *, sequence=1, files=(b"the printed page",), document="", **more):
    told = events.DocumentConcluded(
        document=document or uuid.uuid4().hex,
        sequence=sequence,
        level=0,
        genre="通知",
        issuing_unit="zfb",
        **{
            "title": "关于防汛值守的通知",
            "document_number": "云政办发〔2026〕7号",
            "text": "各单位：\n请做好防汛值守。",
            "readers": ["u:zfb", "u:zfb-mishu", "u:jtj"],
            "addressees": ["jtj"],
            **more,
        },
    )
    told.issued_at.FromSeconds(1_780_000_000)
    for number, data in enumerate(files):
        digest = hashlib.sha256(data).hexdigest()
        documents.files[digest] = data
        told.files.add(name=f"附件{number}.pdf", media_type="text/html", digest=digest, size=len(data))
    step = told.course.add(person="wenshu", unit="zfb", action="签发", opinion="同意", on_behalf_of="jimi")
    step.time.FromSeconds(1_780_000_100)
    return told


def get(knowledge, person, document):
    return knowledge.call("GetItem", pb.GetItemRequest(item=item_id("documents", document)), AS[person])


def there(knowledge, document, person="jiaotong"):
    try:
        return get(knowledge, person, document)
    except NotFound:
        return None


@pytest.fixture(autouse=True)
def documents_are_there(documents):
    documents.away = False


def test_a_concluded_document_is_filed_whole(knowledge, documents, search, file_bytes):
    data = random.Random(1).randbytes(50_000)
    told = concluded(documents, files=(data, b"second"), title="关于金丝楠木保护的通知", text="全文" * 5000)
    knowledge.tell("documents", told)
    item = eventually(lambda: there(knowledge, told.document))
    assert (item.kind, item.document_number, item.genre, item.issuer) == (
        "archive",
        "云政办发〔2026〕7号",
        "通知",
        "云溪区人民政府办公室",
    )
    assert item.text == told.text
    assert list(item.course) == list(told.course)
    assert list(item.addressees) == ["jtj"]
    assert [one.name for one in item.files] == ["附件0.pdf", "附件1.pdf"]
    assert item.files[0].media_type == "application/octet-stream", "the event's word on a type counts nothing"
    assert file_bytes("jiaotong", item.item, item.files[0].digest)[1] == data
    assert all(token == f"Bearer {AS['service']}" for _, _, token in documents.asked)
    assert eventually(lambda: search("jiaotong", "金丝楠木").total == 1)
    assert search("keyuan", "金丝楠木").total == 0
    assert there(knowledge, told.document, "keyuan") is None


def test_repeated_shuffled_and_replayed_events_leave_one_item(
    knowledge, documents, search
):  # check 43, check 45
    document = uuid.uuid4().hex
    states = [
        concluded(documents, document=document, sequence=n, title=f"第{n}稿珙桐", files=(b"same",))
        for n in (1, 2, 3)
    ]
    for told in (states[2], states[0], states[1]):
        knowledge.tell("documents", told, times=3)
    for told in random.Random(2).sample(states, 3):
        # The same content under an id that nobody remembers, as after the broker's window of duplicates.
        knowledge.tell("documents", told)
    last = concluded(documents)
    knowledge.tell("documents", last)
    assert eventually(lambda: there(knowledge, last.document))
    item = eventually(lambda: (found := there(knowledge, document)) and found.title == "第3稿珙桐" and found)
    assert (item.etag, item.version, len(item.versions)) == ("1", 1, 1), "no later delivery had any effect"
    assert eventually(lambda: search("jiaotong", "珙桐").total == 1)


def test_a_later_state_wins_and_categories_stay(knowledge, documents):
    told = concluded(documents, sequence=1)
    knowledge.tell("documents", told)
    item = eventually(lambda: there(knowledge, told.document, "wenshu"))
    said = {
        "item": item.item,
        "title": item.title,
        "kind": item.kind,
        "readers": item.readers,
        "date": item.date,
        "document_number": item.document_number,
        "level": item.level,
    }
    request = pb.UpdateItemRequest(**said, categories=["防汛"], request_id="c" * 8)
    assert list(knowledge.call("UpdateItem", request, AS["wenshu"]).categories) == ["防汛"]
    with pytest.raises(Forbidden):
        knowledge.call(
            "UpdateItem", pb.UpdateItemRequest(**said | {"title": "改题"}, request_id="d" * 8), AS["wenshu"]
        )
    with pytest.raises(Forbidden):
        knowledge.call(
            "WithdrawItem", pb.WithdrawItemRequest(item=item.item, request_id="e" * 8), AS["wenshu"]
        )
    later = concluded(documents, document=told.document, sequence=5, readers=["u:zfb"], text="改后全文")
    knowledge.tell("documents", later)
    newer = eventually(
        lambda: (found := there(knowledge, told.document, "wenshu")) and found.text == "改后全文" and found
    )
    assert list(newer.categories) == ["防汛"]
    assert there(knowledge, told.document) is None, "whom the later state no longer names reads it no longer"


def test_while_documents_is_away_nothing_is_lost_and_nothing_half_filed(knowledge, documents):
    documents.away = True
    told = [concluded(documents, files=(b"one", f"file {n}".encode())) for n in range(5)]
    sent = [knowledge.tell("documents", one) for one in told]
    # Longer than five deliveries take: being away is no fault of the event's.
    time.sleep(6)
    assert not any(there(knowledge, one.document) for one in told)
    documents.away = False
    assert eventually(lambda: all(there(knowledge, one.document) for one in told), 40)
    assert _dead(knowledge, sent) == []


def test_a_poisoned_event_is_buried_and_delays_nobody(knowledge, documents):  # check 44
    wrong = concluded(documents, files=(b"true bytes",))
    documents.files[wrong.files[0].digest] = b"false bytes"
    nobody = concluded(documents, readers=[])
    poisoned = [knowledge.tell("documents", one) for one in (wrong, nobody)]
    started = time.monotonic()
    while time.monotonic() - started < 4:
        good = concluded(documents)
        knowledge.tell("documents", good)
        assert eventually(lambda good=good: there(knowledge, good.document))
    dead = eventually(lambda: len(found := _dead(knowledge, poisoned)) == 2 and found, 20)
    assert there(knowledge, wrong.document) is None
    # Once the cause is gone, a replay files it.
    documents.files[wrong.files[0].digest] = b"true bytes"
    letter = next(one for one in dead if "FileDiffers" in one.reason)
    DeadLetters(knowledge.parts.bus).replay(letter.sequence)
    assert eventually(lambda: there(knowledge, wrong.document))
    assert len(_dead(knowledge, poisoned)) == 1


def _dead(knowledge, events):
    """The dead letters of these events with this very consumer; the stream may hold those of earlier runs."""
    letters = DeadLetters(knowledge.parts.bus).listing(500)
    return [
        one
        for one in letters
        if one.event in events and one.consumer == f"{knowledge.settings.service}-filing"
    ]
