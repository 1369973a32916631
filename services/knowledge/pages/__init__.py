"""The pages of this service, at /knowledge/."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from flask import Flask

from chassis.web import create_app
from services.knowledge.pages import browse, keep


def app(**given: Any) -> Flask:
    """The WSGI application (gunicorn: services.knowledge.pages:app()); tests give more."""
    return create_app(
        "knowledge", [browse.views, keep.views], Path(__file__).parent / "templates", title="知识", **given
    )
