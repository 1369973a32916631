"""Secrets which the set-up makes when nobody supplied them.

One file each in TONGBAN_SECRETS, readable by the owner alone.
"""

from __future__ import annotations

import os
import secrets
from pathlib import Path


def ensure_secret(folder: Path, name: str, make: str = "") -> str:
    """The secret `name`; made (`make`, or 43 random characters) when its file is absent or empty.

    The file appears with its final rights and content at once, so that a process that starts meanwhile never
    reads half of it.
    """
    path = folder / name
    if path.is_file() and (value := path.read_text().strip()):
        return value
    value = make or secrets.token_urlsafe(32)
    folder.mkdir(parents=True, exist_ok=True)
    draft = folder / f".{name}.{os.getpid()}"
    draft.touch(mode=0o600)
    draft.write_text(value)
    draft.rename(path)
    return value
