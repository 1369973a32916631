"""The pages of this service, at /meetings/."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from flask import Flask

from chassis.web import create_app
from services.meetings.pages import lists, meeting, rooms


def app(**given: Any) -> Flask:
    """The WSGI application (gunicorn: services.meetings.pages:app()); tests give a verifier and a directory of their own."""
    views = [lists.views, meeting.views, rooms.views]
    return create_app("meetings", views, Path(__file__).parent / "templates", title="会议", **given)
