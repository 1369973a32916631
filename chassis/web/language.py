"""Chinese by default, English on request.

The Chinese text is the key. A folder of templates may hold `en.json` ({"中文": "English"}); what is missing
there stays Chinese.
"""

from __future__ import annotations

import json
from pathlib import Path

from flask import Flask, current_app, g, has_request_context, request

COOKIE = "tongban-lang"


def english() -> bool:
    """Whether this reader chose English."""
    if not has_request_context():
        return False
    if "english" not in g:
        g.english = request.cookies.get(COOKIE) == "en"
    return bool(g.english)


def t(text: object) -> object:
    """`text` in the reader's language. Anything that is not a known text comes back as it is."""
    if not english() or not isinstance(text, str):
        return text
    words: dict[str, str] = current_app.extensions["tongban-words"]
    return words.get(text, text)


def install(app: Flask, templates: Path) -> None:
    """Load the words of the kit and of the service, the service's own ones winning."""
    words: dict[str, str] = {}
    for folder in (Path(__file__).parent / "templates", templates):
        path = folder / "en.json"
        if path.is_file():
            words |= json.loads(path.read_text(encoding="utf-8"))
    app.extensions["tongban-words"] = words
    app.jinja_env.globals["t"] = t
    app.jinja_env.globals["english"] = english
