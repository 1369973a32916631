"""Who may come in, and with which headers the answer leaves."""

from __future__ import annotations

import pytest

from chassis.web.tests.sample import CSRF, SIGNED_IN


@pytest.mark.parametrize(
    "headers",
    [{}, {"Authorization": "Bearer bad"}, {"Authorization": "Basic good"}, {"Authorization": "Bearer "}],
)
def test_without_a_valid_token_there_is_only_the_sign_in_page(client, headers):
    answer = client.get("/documents/", headers=headers)
    assert answer.status_code == 401
    assert "请重新登录" in answer.text
    assert "zhang" not in answer.text
    assert 'name="stream"' not in answer.text


def test_an_unknown_address_is_not_even_looked_up_without_a_token(client):
    assert client.get("/documents/no-such-page").status_code == 401
    assert client.get("/documents/no-such-page", headers=SIGNED_IN).status_code == 404


def test_the_view_knows_the_caller_and_calls_carry_token_request_id_and_deadline(client):
    assert client.get("/documents/", headers=SIGNED_IN).text == "zhang good req-12345678 True"


def test_nothing_of_one_request_is_left_for_the_next(client):
    client.get("/documents/", headers=SIGNED_IN)
    from chassis import context

    assert context.current().token == ""


@pytest.mark.parametrize("path", ["/healthz", "/documents/open", "/static/tongban.css"])
def test_public_endpoints_need_no_token(client, path):
    assert client.get(path).status_code == 200


@pytest.mark.parametrize("sent", [{}, {"_csrf": "wrong"}, {"_csrf": ""}, {"_csrf": "密"}])
def test_a_write_without_the_csrf_token_is_refused(client, sent):
    answer = client.post("/documents/save", data={"title": "关于", **sent}, headers=SIGNED_IN)
    assert answer.status_code == 403
    assert "页面已过期" in answer.text


def test_a_write_is_refused_when_the_edge_handed_no_csrf_token(client):
    headers = {"Authorization": "Bearer good"}
    assert (
        client.post("/documents/save", data={"title": "关于", "_csrf": ""}, headers=headers).status_code
        == 403
    )


def test_a_write_with_the_csrf_token_in_the_form_or_the_header_is_accepted(client):
    assert (
        client.post("/documents/save", data={"title": "关于", "_csrf": CSRF}, headers=SIGNED_IN).status_code
        == 303
    )
    headers = {**SIGNED_IN, "X-CSRF-Token": CSRF}
    assert client.post("/documents/save", data={"title": "关于"}, headers=headers).status_code == 303


@pytest.mark.parametrize(
    "path", ["/documents/", "/documents/fail/missing", "/documents/fail/bug", "/documents/open"]
)
def test_every_page_carries_the_security_headers(client, path):
    headers = client.get(path, headers=SIGNED_IN).headers
    assert "default-src 'self'" in headers["Content-Security-Policy"]
    assert "unsafe-inline" not in headers["Content-Security-Policy"]
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Cache-Control"] == "no-store"
    assert headers["X-Request-Id"] == "req-12345678"


def test_a_strange_request_id_is_replaced(client):
    answer = client.get("/documents/open", headers={"X-Request-Id": "<script>alert(1)</script>"})
    assert "<" not in answer.headers["X-Request-Id"]


def test_static_files_may_be_kept(client):
    assert "no-store" not in client.get("/static/tongban.css").headers["Cache-Control"]
