"""/api/openapi.json and /api/docs: the API's description, for programs and for people.

Both are public: they say nothing of anybody's data.
"""

from __future__ import annotations

import hashlib
import json
from functools import cache
from pathlib import Path

import tongban
from flask import Blueprint, Response, render_template, request, send_from_directory

from gateway import openapi
from gateway.comments import Comments
from gateway.routes import Routes

HERE = Path(__file__).parent


def blueprint(routes: Routes, public_url: str) -> Blueprint:
    """The views of the description."""
    views = Blueprint("description", __name__, url_prefix="/api")

    @cache
    def text() -> tuple[str, str]:
        # `make gen` puts the code into build/gen/tongban, and the definitions with their comments beside
        # build/gen.
        comments = Comments(Path(next(iter(tongban.__path__))).parents[1] / "image.binpb")
        content = json.dumps(openapi.describe(routes, public_url, comments), ensure_ascii=False)
        # The same in every process, of which each answers some of a browser's questions.
        return content, f'"{hashlib.sha256(content.encode()).hexdigest()}"'

    @views.get("/openapi.json")
    def document() -> Response:
        content, etag = text()
        if request.headers.get("If-None-Match") == etag:
            return Response("", 304, {"ETag": etag})
        return Response(
            content, 200, {"ETag": etag, "Cache-Control": "no-cache"}, content_type="application/json"
        )

    @views.get("/docs")
    def page() -> Response:
        return Response(render_template("docs.html"), headers={"Cache-Control": "no-cache"})

    @views.get("/docs/<path:name>")
    def static(name: str) -> Response:
        return send_from_directory(HERE / "static", name, max_age=3600)

    return views
