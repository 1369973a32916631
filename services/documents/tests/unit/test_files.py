"""Files as the pages hand them out."""

from __future__ import annotations

from types import SimpleNamespace

from flask import Flask

from services.documents.pages import files


def test_an_empty_file_of_earlier_days_is_handed_out(monkeypatch):
    monkeypatch.setattr(files, "documents", SimpleNamespace(ReadFile=lambda _request: iter(())))
    with Flask(__name__).test_request_context("/?inline=1"):
        answer = files.of_document("document", "d")
        assert (answer.get_data(), answer.mimetype) == (b"", "application/octet-stream")
        assert answer.headers["Content-Disposition"].startswith("attachment")
