"""The same Idempotency-Key a hundred times at once, through the edge and the gateway, as an impatient client sends it."""

from __future__ import annotations

import ssl
import threading
import time
import uuid
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import httpx
import pymongo
import pytest

from tests.checks.platform import subject

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]
PARALLEL = 100
AGAIN = {409: "REQUEST_IN_FLIGHT", 429: "TOO_OFTEN", 503: "BUSY"}  # what a client is told to wait for


@pytest.fixture(scope="module")
def client(stack):
    """client() → one that comes through the edge. Each thread wants its own: httpx closes idle connections under other threads."""
    tls = ssl.create_default_context(cafile=str(stack.ca))
    return lambda: httpx.Client(base_url=stack.url, verify=tls, timeout=60)


@pytest.fixture
def edge(client):
    with client() as opened:
        yield opened


def insist(edge, path, body, headers, told):
    """Send until there is an answer that is none of "come back later"; every refusal is noted in `told`."""
    end = time.monotonic() + 60
    while time.monotonic() < end:
        answer = edge.post(path, json=body, headers=headers)
        if answer.status_code not in AGAIN or answer.json()["reason"] != AGAIN[answer.status_code]:
            return answer
        told[answer.status_code] += 1
        assert int(answer.headers["Retry-After"]) >= 1, "a client is told when to come back"
        time.sleep(0.2)
    raise AssertionError("no answer within a minute")


def bodies(people):
    """Two writes of different services: path, body, the body changed, and where the effects are counted."""
    person = subject(people.token("qfb.zonghe"))
    title = f"百次只算一次 {uuid.uuid4().hex[:8]}"
    task = {"title": title, "text": "核对", "assignees": [f"p:{person}"], "unit": "qfb-zonghe"}
    elements = {"genre": "通知", "title": title, "body": "正文。", "addressees": ["fgw"]}
    return [
        ("/api/v1/tasks/tasks", task, {**task, "text": "另一项"}, ("tongban_tasks", "tasks", {"title": title})),
        (
            "/api/v1/documents/outgoing", {"elements": elements}, {"elements": {**elements, "body": "另一份。"}},
            ("tongban_documents", "documents", {"elements.title": title}),
        ),
    ]  # fmt: skip


def test_a_hundred_times_is_once(client, edge, people, stack):
    """# check 42"""
    store = pymongo.MongoClient(stack.env["TONGBAN_MONGO_URI"])
    told = Counter()
    for path, body, other, (database, collection, what) in bodies(people):
        headers = {
            "Authorization": f"Bearer {people.token('qfb.zonghe')}",
            "Idempotency-Key": uuid.uuid4().hex,
        }
        go = threading.Barrier(PARALLEL)

        def once(_, path=path, body=body, headers=headers, go=go):
            with client() as own:
                go.wait()
                return insist(own, path, body, headers, told)

        with ThreadPoolExecutor(PARALLEL) as pool:
            answers = list(pool.map(once, range(PARALLEL)))
        assert Counter(answer.status_code for answer in answers) == {200: PARALLEL}
        assert len({answer.text for answer in answers}) == 1, "every client gets the same answer"
        assert store[database][collection].count_documents(what) == 1
        # The same key for something else, and by somebody else.
        changed = insist(edge, path, other, headers, told)
        assert (changed.status_code, changed.json()["reason"]) == (422, "REQUEST_ID_REUSED")
        elsewhere = {**headers, "Authorization": f"Bearer {people.token('qfb.mishu')}"}
        mine = insist(
            edge, path, {**body, **({"unit": "qfb-mishu"} if "unit" in body else {})}, elsewhere, told
        )
        assert mine.status_code == 200, "another person's key is another key"
        assert mine.text != answers[0].text
    assert told[409], "nobody was told that the request is in flight"
    store.close()
    print(
        f"check 42: 2 writes x {PARALLEL} in parallel: 1 effect and 1 answer each; {told[409]} x 409 in flight,"
        f" {told[429] + told[503]} x come back later, other body 422"
    )


def test_a_key_must_be_one(edge, people):
    """# check 42: what cannot be a key, or stands in two places and differs, is refused before anything happens."""
    task = {"title": "无效编号", "text": "x", "assignees": ["u:qfb"], "unit": "qfb-zonghe"}
    token = f"Bearer {people.token('qfb.zonghe')}"
    for key in ("short", "x" * 65, "tab\tin the middle"):
        answer = edge.post(
            "/api/v1/tasks/tasks", json=task, headers={"Authorization": token, "Idempotency-Key": key}
        )
        assert answer.status_code == 400, key
    both = {"Authorization": token, "Idempotency-Key": uuid.uuid4().hex}
    assert (
        edge.post(
            "/api/v1/tasks/tasks", json={**task, "request_id": uuid.uuid4().hex}, headers=both
        ).status_code
        == 400
    )
