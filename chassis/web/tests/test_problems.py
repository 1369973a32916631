"""What the reader sees when something fails."""

from __future__ import annotations

import json
import logging

import pytest

from chassis.audit import Audit
from chassis.tests.helpers import settings
from chassis.web.outside import Outside
from chassis.web.tests.sample import CSRF, HTMX, SIGNED_IN, make_app


def test_a_domain_error_shows_its_sentence_the_next_step_and_the_request_id(client):
    answer = client.get("/documents/fail/missing", headers=SIGNED_IN)
    assert answer.status_code == 404
    for text in ("没有找到该公文，或您无权查看。", "请从列表重新打开", "req-12345678"):
        assert text in answer.text


def test_an_unexpected_error_leaks_nothing_and_is_logged(client, monkeypatch):
    logged = []
    monkeypatch.setattr(
        "chassis.web.problems.log.get",
        lambda _name: type("L", (), {"exception": lambda _s, e: logged.append(e)})(),
    )
    answer = client.get("/documents/fail/bug", headers=SIGNED_IN)
    assert answer.status_code == 500
    assert "req-12345678" in answer.text
    for secret in ("mongodb", "inside", "Traceback", "RuntimeError"):
        assert secret not in answer.text
    assert logged == ["a page failed"]


def test_htmx_gets_a_toast_and_leaves_the_page_alone(client):
    answer = client.get("/documents/fail/down", headers=HTMX)
    assert answer.status_code == 503
    assert answer.headers["HX-Reswap"] == "none"
    detail = json.loads(answer.headers["HX-Trigger"])["tongban:toast"]
    assert detail["text"] == "公文服务暂时不可用。"
    assert detail["tone"] == "bad"
    assert detail["code"] == "req-12345678"
    assert "<html" not in answer.text


def test_a_write_that_got_no_answer_can_be_sent_again_with_the_same_request_id(client):
    sent = {"title": "down", "request_id": "11111111-2222", "_csrf": CSRF, "text": '"><script>x</script>'}
    answer = client.post("/documents/save", data=sent, headers=SIGNED_IN)
    assert answer.status_code == 503
    assert 'name="request_id" value="11111111-2222"' in answer.text
    assert "再试一次" in answer.text
    assert "<script>x" not in answer.text


def test_a_refusal_that_the_full_disk_does_not_record_is_a_refusal_all_the_same(tmp_path, monkeypatch):
    (tmp_path / "var").write_bytes(b"")
    monkeypatch.setattr(Outside, "audit", lambda _self: Audit(settings(tmp_path / "var"), lambda: None))
    answer = make_app(tmp_path).test_client().post("/documents/save", data={"_csrf": "x"}, headers=SIGNED_IN)
    assert answer.status_code == 403


@pytest.mark.parametrize(
    ("method", "path", "status"), [("get", "/documents/none", 404), ("put", "/documents/list", 405)]
)
def test_http_errors_have_the_same_page(client, method, path, status):
    headers = {**SIGNED_IN, "X-CSRF-Token": CSRF}
    answer = getattr(client, method)(path, headers=headers)
    assert answer.status_code == status
    assert "req-12345678" in answer.text


def test_too_large_a_body_is_refused_with_a_sentence(app, client, monkeypatch):
    monkeypatch.setitem(app.config, "MAX_CONTENT_LENGTH", 100)
    answer = client.post("/documents/save", data={"title": "x" * 500, "_csrf": CSRF}, headers=SIGNED_IN)
    assert answer.status_code == 413
    assert "超过了大小限制" in answer.text


def test_english_is_answered_in_english(client):
    client.set_cookie("tongban-lang", "en")
    answer = client.get("/documents/fail/down", headers=SIGNED_IN)
    assert "The service is not available" in answer.text
    assert 'lang="en"' in answer.text
    logging.getLogger(__name__).debug("rendered")
