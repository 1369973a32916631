"""How files leave and come in: a download is shown by no browser as a page of ours, whatever it holds."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import chain
from typing import Any
from urllib.parse import quote

from flask import Response, request
from werkzeug.datastructures import FileStorage
from werkzeug.http import parse_options_header

from chassis import filenames

PIECE = 1 << 20  # bytes
_SEALED = "default-src 'none'; sandbox"
# A PDF is shown by the browser's own viewer, which needs its styles; nothing it could carry may run, load, send or navigate.
_SHOWN = f"{_SEALED}; style-src 'unsafe-inline'; frame-ancestors 'self'; base-uri 'none'; form-action 'none'"
_PDF, _BYTES = "application/pdf", "application/octet-stream"


def send(bodies: Iterator[Any], *, name: str = "", kind: str = "", inline: bool = False) -> Response:
    """A file that comes as google.api.HttpBody, piece by piece; one without any piece is an empty file.

    name, kind: what the first piece says of itself (`application/pdf; name="通知.pdf"`), where they are not given. inline: show it
    in place, if it came as a PDF. The first piece is waited for, so that a refusal is still an answer of its own and no broken
    download.
    """
    first = next(bodies, None)
    came_as, options = parse_options_header(first.content_type if first is not None else "")
    shown = inline and came_as == _PDF
    response = Response(body.data for body in chain([first], bodies) if body is not None)
    response.content_type = came_as if shown else kind or _known(came_as)
    bare = filenames.bare(name or options.get("name", ""))
    way = "inline" if shown else "attachment"
    response.headers["Content-Disposition"] = (
        f"{way}; filename*=UTF-8''{quote(bare, safe='')}" if bare else way
    )
    response.headers["Content-Security-Policy"] = _SHOWN if shown else _SEALED
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers["Cache-Control"] = "private, no-store"
    return response


def _known(kind: str) -> str:
    return kind if re.fullmatch(r"[a-z0-9.+-]{1,60}/[a-z0-9.+-]{1,90}", kind, re.IGNORECASE) else _BYTES


def uploads(field: str) -> list[FileStorage]:
    """The files of a form's field, without the empty one that browsers send."""
    return [upload for upload in request.files.getlist(field) if upload.filename]


def pieces(upload: FileStorage) -> Iterator[bytes]:
    """The content of a file of a form."""
    while piece := upload.stream.read(PIECE):
        yield piece
