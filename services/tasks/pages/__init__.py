"""The pages of this service, at /tasks/."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from flask import Flask

from chassis.web import create_app
from services.tasks.pages import lists, task


def app(**given: Any) -> Flask:
    """The WSGI application (gunicorn: services.tasks.pages:app()); tests give a verifier and a directory of their own."""
    return create_app(
        "tasks", [lists.views, task.views], Path(__file__).parent / "templates", title="任务", **given
    )
