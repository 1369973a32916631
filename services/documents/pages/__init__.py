"""The pages of the documents service."""

from __future__ import annotations

from pathlib import Path

from flask import Flask

from chassis.web import create_app
from services.documents.pages import files, incoming, outgoing, overview


def app() -> Flask:
    """The WSGI application (gunicorn: services.documents.pages:app())."""
    views = [overview.views, outgoing.views, incoming.views, files.views]
    return create_app("documents", views, Path(__file__).parent / "templates", title="公文")
