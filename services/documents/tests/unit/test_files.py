"""Files as the pages hand them out."""

from __future__ import annotations

from types import SimpleNamespace

from flask import Flask
from google.api.httpbody_pb2 import HttpBody

from services.documents.pages import files


def test_an_empty_file_of_earlier_days_is_handed_out(monkeypatch):
    monkeypatch.setattr(files, "documents", SimpleNamespace(ReadFile=lambda _request: iter(())))
    with Flask(__name__).test_request_context("/?inline=1"):
        answer = files.of_document("document", "d")
        assert (answer.get_data(), answer.mimetype) == (b"", "application/octet-stream")
        assert answer.headers["Content-Disposition"].startswith("attachment")


def test_a_pdf_is_shown_in_place_but_sealed_off(monkeypatch):  # check 28
    def read(_request):
        yield HttpBody(content_type='application/pdf; name="a.pdf"', data=b"%PDF-")

    monkeypatch.setattr(files, "documents", SimpleNamespace(ReadFile=read))
    with Flask(__name__).test_request_context("/?inline=1"):
        for answer in (files.of_document("document", "d"), files.of_delivery("delivery", "d")):
            assert (answer.get_data(), answer.mimetype) == (b"%PDF-", "application/pdf")
            assert answer.headers["Content-Disposition"].startswith("inline")
            assert answer.headers["Content-Security-Policy"].startswith("default-src 'none'; sandbox;")
