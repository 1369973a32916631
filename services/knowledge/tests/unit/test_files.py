"""Files as the pages hand them out."""

from __future__ import annotations

from types import SimpleNamespace

from flask import Flask
from google.api.httpbody_pb2 import HttpBody

from services.knowledge.pages import browse


def asked(monkeypatch, address):
    def read(_request):
        yield HttpBody(content_type="application/pdf", data=b"%PDF-")

    monkeypatch.setattr(browse, "knowledge", SimpleNamespace(ReadItemFile=read))
    with Flask(__name__).test_request_context(address):
        return browse.download("item", "d", "a.pdf")


def test_a_pdf_is_shown_in_place_but_sealed_off(monkeypatch):  # check 28
    answer = asked(monkeypatch, "/?view=1")
    assert (answer.get_data(), answer.mimetype) == (b"%PDF-", "application/pdf")
    assert answer.headers["Content-Disposition"].startswith("inline")
    assert answer.headers["Content-Security-Policy"].startswith("default-src 'none'; sandbox;")


def test_unless_it_is_to_be_looked_at_it_is_saved(monkeypatch):
    assert asked(monkeypatch, "/").headers["Content-Disposition"].startswith("attachment")
