"""Files of documents: always as download, but for PDF, which may be shown in the page."""

from __future__ import annotations

from flask import Blueprint, Response, request
from tongban.documents.v1 import documents_pb2 as pb

from chassis.web.files import send
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
    bodies = documents.ReadFile(pb.ReadFileRequest(document=key, digest=digest))
    # What people uploaded is saved as mere bytes, whatever it is.
    return send(bodies, kind="application/octet-stream", inline=request.args.get("inline") == "1")
