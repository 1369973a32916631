"""The pages of this service, at /audit/: for the auditor."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from flask import Flask

from chassis.web import create_app
from services.audit.pages import chain, entries


def app(**given: Any) -> Flask:
    """The WSGI application (gunicorn: services.audit.pages:app()); tests give a verifier and a directory of their own."""
    templates = Path(__file__).parent / "templates"
    return create_app("audit", [entries.views, chain.views], templates, title="审计", **given)
