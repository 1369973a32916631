"""Links to the kit's files, with a short hash, so that the edge and the browser may keep them for a year."""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path

from flask import Flask
from markupsafe import Markup

STATIC = Path(__file__).parent / "static"


@cache
def asset(name: str) -> str:
    """Address of a file in static/ by its name, e.g. "tongban.css". An absent file gets no hash."""
    path = STATIC / name
    if not path.is_file():
        return f"/static/{name}"
    return f"/static/{name}?v={hashlib.sha256(path.read_bytes()).hexdigest()[:10]}"


@cache
def icon(name: str, label: str | None = None) -> Markup:
    """One icon of the sprite. Without a label it is decoration and hidden from screen readers."""
    about = Markup(' role="img" aria-label="{}"').format(label) if label else Markup(' aria-hidden="true"')
    return Markup('<svg class="icon"{}><use href="{}#{}"/></svg>').format(about, asset("icons.svg"), name)


def install(app: Flask) -> None:
    """Make `asset` and `icon` known to templates."""
    app.jinja_env.globals["asset"] = asset
    # Under two names: many macros have an argument called `icon`.
    app.jinja_env.globals["icon"] = app.jinja_env.globals["glyph"] = icon
