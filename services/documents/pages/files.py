"""Files of documents: always as download, but for PDF, which may be shown in the page."""

from __future__ import annotations

from itertools import chain
from urllib.parse import quote

from flask import Blueprint, Response, request
from google.api.httpbody_pb2 import HttpBody
from tongban.documents.v1 import documents_pb2 as pb
from werkzeug.http import parse_options_header

from services.documents.pages.common import documents

views = Blueprint("files", __name__)


@views.get("/outgoing/<document>/files/<digest>")
def of_document(document: str, digest: str) -> Response:
    """A file of an outgoing document."""
    return _sent(document, digest)


@views.get("/incoming/<delivery>/files/<digest>")
def of_delivery(delivery: str, digest: str) -> Response:
    """A file of a delivery: the document's, or of the unit's answer."""
    return _sent(delivery, digest)


@views.get("/outgoing/<document>/answers/<delivery>/<digest>")
def of_answer(document: str, delivery: str, digest: str) -> Response:  # noqa: ARG001 - the address names both
    """A file of a unit's answer, for the issuing office."""
    return _sent(delivery, digest)


def _sent(key: str, digest: str) -> Response:
    answers = documents.ReadFile(pb.ReadFileRequest(document=key, digest=digest))
    first = next(answers, HttpBody())  # of an empty file there is no piece
    kind, about = parse_options_header(first.content_type)
    inline = kind == "application/pdf" and request.args.get("inline") == "1"
    response = Response(
        (piece.data for piece in chain([first], answers)),
        mimetype=kind if inline else "application/octet-stream",
    )
    way = "inline" if inline else "attachment"
    response.headers["Content-Disposition"] = f"{way}; filename*=UTF-8''{quote(about.get('name', 'file'))}"
    # What people upload must never run with the platform's rights, whatever its bytes are.
    response.headers["Content-Security-Policy"] = "sandbox; default-src 'none'; style-src 'unsafe-inline'"
    response.headers["X-Content-Type-Options"] = "nosniff"
    return response
