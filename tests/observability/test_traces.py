"""One request through the edge, found again by one id in every process that took part."""

from __future__ import annotations

import base64
import json
import uuid

import httpx
import pytest

from deploy.observability import trace
from tests.inprocess import eventually

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(120)]
FORGED = f"00-{'f' * 32}-{'e' * 16}-01"


@pytest.fixture
def ask(stranger, people):
    """ask(username, method, path, body) → the answer of the API, through the edge, with a trace that a browser has made up."""

    def call(username, method, path, body=None):
        headers = {
            "Authorization": f"Bearer {people.token(username)}", "traceparent": FORGED, "tracestate": "x=1",
            "Idempotency-Key": uuid.uuid4().hex,
        }  # fmt: skip
        answer = stranger.ask(method, path, headers=headers, json=body)
        assert answer.status_code == 200, answer.text
        return answer

    return call


def test_a_sign_off_is_one_trace_from_the_edge_to_the_to_do_list(running, people, ask):
    leader = json.loads(_payload(people.token("qfb.zhuren")))["sub"]
    elements = {"genre": "通知", "title": "关于追踪一次签发的通知", "body": "正文。", "addressees": ["fgw"]}
    made = ask("qfb.wenshu", "POST", "/api/v1/documents/outgoing", {"elements": elements}).json()
    path = f"/api/v1/documents/outgoing/{made['document']}"
    ask("qfb.wenshu", "POST", f"{path}:submit", {"leader": leader})
    signed = ask("qfb.zhuren", "POST", f"{path}:signOff", {"opinion": "同意"})
    request_id = signed.headers["X-Request-ID"]
    wanted = {
        ("edge", None), ("gateway-web", "request"), ("documents-serve", "call"), ("documents-work", "published"),
        ("documents-work", "handled"), ("tasks-work", "handled"),
    }  # fmt: skip

    def lines():
        found = trace.find(running.var, request_id)
        return found if wanted <= {(one.log, one.facts.get("event")) for one in found} else []

    found = eventually(lines, 30)
    (edge,) = [one for one in found if one.log == "edge"]
    # The edge begins the trace with the id of its own request; the browser's is not heard of anywhere.
    assert edge.facts["trace"] == edge.facts["request_id"] == request_id
    assert {one.facts["trace"] for one in found} == {request_id}
    assert found[0].log == "edge", "first the edge, though its line is written last"
    (call,) = [one for one in found if one.log == "documents-serve"]
    assert call.facts["request_id"] == request_id
    assert not [path for path in trace.logs(running.var) if "f" * 32 in path.read_text(errors="replace")]
    print(f"one sign-off: {len(found)} lines in {len({one.log for one in found})} logs, one trace")


def _payload(token):
    part = token.split(".")[1]
    return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))


def test_a_page_is_one_trace_too(running, administrator):
    answer = administrator.get("/administration/dead-letters")
    assert answer.status_code == 200
    request_id = answer.headers["X-Request-ID"]
    logs = {"edge", "portal-pages", "portal-serve"}

    def complete():
        found = trace.find(running.var, request_id)
        return found if logs <= {one.log for one in found} else []

    found = eventually(complete, 20)
    assert {one.facts["trace"] for one in found} == {request_id}


def test_every_line_of_a_call_or_an_event_carries_its_trace(running):
    without, seen = [], 0
    for path in trace.logs(running.var):
        if path.parent.name != "logs":
            continue
        for row in path.read_text(errors="replace").splitlines():
            try:
                facts = json.loads(row)
            except ValueError:
                continue
            if isinstance(facts, dict) and facts.get("event") in (
                "call",
                "handled",
                "published",
                "page",
                "request",
                "event failed",
            ):
                seen += 1
                if len(facts.get("trace", "")) != 32:
                    without.append((path.name, row[:200]))
    assert seen > 20
    assert not without
    print(f"{seen} lines of calls and events, {len(without)} without a trace")


def test_a_scrape_and_a_question_of_the_supervisor_are_no_noise(running):
    """Figures and probes leave no lines of their own in the logs."""
    target = next(
        one
        for one in running.targets()
        if one["labels"] == {**one["labels"], "unit": "gateway", "process": "web"}
    )
    log = running.var / "logs" / "gateway-web.log"
    before = log.read_text(errors="replace").count("/metrics")
    httpx.get(f"http://{target['targets'][0]}/metrics", timeout=10, trust_env=False).raise_for_status()
    assert log.read_text(errors="replace").count("/metrics") == before
