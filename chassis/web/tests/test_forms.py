"""A refused form comes back as typed; an accepted one leads on with a message."""

from __future__ import annotations

import json
import re
from datetime import UTC, date, datetime
from urllib.parse import unquote

import pytest

from chassis.errors import InvalidInput
from chassis.web import form_date, form_request_id, form_time
from chassis.web.tests.sample import CSRF, HTMX, SIGNED_IN


def _post(client, **fields):
    return client.post("/documents/save", data={"_csrf": CSRF, **fields}, headers=SIGNED_IN)


def _key(client):
    return re.search(
        r'name="_form" value="([^"]+)"', client.get("/documents/save", headers=SIGNED_IN).text
    ).group(1)


def test_a_form_carries_the_csrf_token_and_a_fresh_request_id(client):
    pages = [client.get("/documents/save", headers=SIGNED_IN).text for _ in range(2)]
    ids = [re.findall(r'name="request_id" value="([0-9a-f-]{36})"', page) for page in pages]
    assert all(f'name="_csrf" value="{CSRF}"' in page for page in pages)
    assert len({one for found in ids for one in found}) == 4


def test_a_refused_form_shows_the_message_and_what_was_typed(client):
    answer = _post(
        client,
        _form=_key(client),
        title="没写好<b>",
        due="2026-12-01T09:30",
        _has=["where", "readers"],
        readers=["wang", "chen"],
    )
    assert answer.status_code == 422
    page = answer.text
    assert page.count("标题要写明事由。") == 2  # in the summary and at the field
    assert 'href="#f-title"' in page
    assert 'aria-invalid="true"' in page
    assert 'value="没写好&lt;b&gt;"' in page
    assert 'value="2026-12-01T09:30"' in page, "a typed time must not be shifted by the zone"
    assert "checked" not in page, "a box that was cleared stays cleared"
    assert "王建国" in page
    assert "李晓燕" not in page
    assert 'value="原来的"' in page, "another form with a field of the same name keeps its own"


def test_a_text_that_is_no_date_comes_back_empty_rather_than_as_a_fault(client):
    assert _post(client, _form=_key(client), title="x", due="never").status_code == 422


def test_an_accepted_form_redirects_with_a_message(client):
    answer = _post(client, title="关于")
    assert answer.status_code == 303
    cookie = answer.headers["Set-Cookie"]
    assert json.loads(unquote(re.match(r"__Host-message=([^;]+)", cookie).group(1)))["text"] == "已保存"
    assert all(word in cookie for word in ("SameSite=Lax", "Secure", "HttpOnly", "Path=/"))  # check 12


def test_htmx_is_redirected_by_header(client):
    answer = client.post("/documents/save", data={"title": "关于", "_csrf": CSRF}, headers=HTMX)
    assert (answer.status_code, answer.headers["HX-Redirect"]) == (200, "/documents/")


def test_a_fragment_may_bring_a_toast_and_an_event(client):
    answer = client.post("/documents/fragment", data={"_csrf": CSRF}, headers=HTMX)
    events = json.loads(answer.headers["HX-Trigger"])
    assert events["tongban:toast"]["text"] == "已保存"
    assert "tongban:todo" in events


def test_links_of_a_list_keep_the_filters(client):
    found = client.get("/documents/list?q=防汛&cursor=old&unit=a&unit=b", headers=SIGNED_IN).json
    assert found["next"].endswith("&unit=a&unit=b&cursor=token%2F2")
    assert "cursor" not in found["first"]


@pytest.mark.parametrize(
    ("typed", "utc"), [("2026-12-01T09:30", datetime(2026, 12, 1, 1, 30, tzinfo=UTC)), ("", None)]
)
def test_a_typed_time_is_shanghai_time(app, typed, utc):
    with app.test_request_context("/", method="POST", data={"due": typed}):
        assert form_time("due") == utc


def test_a_typed_date_is_read_and_nonsense_is_refused_at_its_field(app):
    with app.test_request_context("/", method="POST", data={"day": "2026-12-01", "bad": "1 Dec"}):
        assert form_date("day") == date(2026, 12, 1)
        for read in (form_date, form_time):
            with pytest.raises(InvalidInput) as refused:
                read("bad")
            assert list(refused.value.fields) == ["bad"]


def test_the_request_id_of_the_form_is_used_and_a_missing_one_replaced(app):
    with app.test_request_context("/", method="POST", data={"request_id": "11111111-2222"}):
        assert form_request_id() == "11111111-2222"
    with app.test_request_context("/", method="POST"):
        assert len(form_request_id()) == 36
