"""Files that leave: never a page of ours, whatever they are; a refusal is no broken download, an empty file no error."""

from __future__ import annotations

from urllib.parse import quote

import pytest
from flask import Flask
from google.api.httpbody_pb2 import HttpBody

from chassis.errors import NotFound
from chassis.web.files import send


@pytest.fixture(autouse=True)
def request_context():
    with Flask(__name__).test_request_context():
        yield


def bodies(kind, *pieces):
    yield HttpBody(content_type=kind, data=pieces[0])
    yield from (HttpBody(data=piece) for piece in pieces[1:])


def test_a_file_is_sent_as_it_names_itself_and_only_to_be_saved():
    answer = send(bodies('text/html; name="../通知.html"', b"<script>", b"x"), inline=True)
    assert answer.get_data() == b"<script>x"
    assert answer.headers["Content-Disposition"] == f"attachment; filename*=UTF-8''{quote('通知.html')}"
    assert answer.headers["Content-Security-Policy"] == "default-src 'none'; sandbox"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert send(bodies("no kind", b"x")).content_type == "application/octet-stream"


def test_only_a_pdf_is_shown_in_place():
    shown = send(bodies('application/pdf; name="a.pdf"', b"%PDF-"), kind="text/plain", inline=True)
    assert (shown.content_type, shown.headers["Content-Disposition"][:6]) == ("application/pdf", "inline")
    assert "sandbox" in shown.headers["Content-Security-Policy"]
    saved = send(bodies("application/pdf", b"%PDF-"), kind="text/plain")
    assert (saved.content_type, saved.headers["Content-Disposition"]) == ("text/plain", "attachment")


def test_an_empty_file_is_an_empty_file_and_a_refusal_no_download():
    assert send(iter(())).get_data() == b""
    assert send(bodies("text/plain", b""), name="空.txt").get_data() == b""

    def refused():
        raise NotFound("NOT_FOUND", "没有找到该文件。")
        yield

    with pytest.raises(NotFound):
        send(refused())
