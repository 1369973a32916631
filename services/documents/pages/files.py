"""Files of documents: always as download, but for PDF, which may be shown in the page."""

from __future__ import annotations

from itertools import chain
from urllib.parse import quote

from flask import Blueprint, Response, request
from tongban.documents.v1 import documents_pb2 as pb

from services.documents.pages.common import deliveries, documents

views = Blueprint("files", __name__)


@views.get("/outgoing/<document>/files/<digest>")
def of_document(document: str, digest: str) -> Response:
    """A file of an outgoing document."""
    found = documents.GetDocument(pb.GetDocumentRequest(document=document))
    return _sent(document, digest, [*found.files, found.printed])


@views.get("/incoming/<delivery>/files/<digest>")
def of_delivery(delivery: str, digest: str) -> Response:
    """A file of a delivery: the document's, or of the unit's answer."""
    found = deliveries.GetDelivery(pb.GetDeliveryRequest(delivery=delivery))
    return _sent(delivery, digest, [found.content.printed, *found.content.files, *found.answer_files])


@views.get("/outgoing/<document>/answers/<delivery>/<digest>")
def of_answer(document: str, delivery: str, digest: str) -> Response:
    """A file of a unit's answer, for the issuing office."""
    found = documents.GetDocument(pb.GetDocumentRequest(document=document))
    files = [
        file for progress in found.progress if progress.delivery == delivery for file in progress.answer_files
    ]
    return _sent(delivery, digest, files)


def _sent(key: str, digest: str, files: list[pb.File]) -> Response:
    name = next((file.name for file in files if file.digest == digest), "file")
    answers = documents.ReadFile(pb.ReadFileRequest(document=key, digest=digest))
    first = next(answers)
    kind = first.content_type.partition(";")[0]
    inline = kind == "application/pdf" and request.args.get("inline") == "1"
    response = Response(
        (piece.data for piece in chain([first], answers)),
        mimetype=kind if inline else "application/octet-stream",
    )
    way = "inline" if inline else "attachment"
    response.headers["Content-Disposition"] = f"{way}; filename*=UTF-8''{quote(name)}"
    # What people upload must never run with the platform's rights, whatever its bytes are.
    response.headers["Content-Security-Policy"] = "sandbox; default-src 'none'; style-src 'unsafe-inline'"
    response.headers["X-Content-Type-Options"] = "nosniff"
    return response
