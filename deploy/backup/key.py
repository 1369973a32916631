"""The recovery key: a file outside of the deployment and of every archive, named by TONGBAN_BACKUP_KEY."""

from __future__ import annotations

import base64
import os
import secrets
from collections.abc import Mapping
from pathlib import Path

from deploy.local.say import Refusal, line
from deploy.local.secretfiles import write_private

_SHORTEST = 16


def path(environ: Mapping[str, str] = os.environ) -> Path:
    """Where the key lies: TONGBAN_BACKUP_KEY, or a file in the operator's own configuration."""
    named = environ.get("TONGBAN_BACKUP_KEY")
    return Path(named).absolute() if named else Path.home() / ".config" / "tongban" / "backup.key"


def read(where: Path) -> bytes:
    """The key, which may be a passphrase of one's own.

    Refuses a missing file and a short content.
    """
    if not where.is_file():
        raise Refusal(
            f"The recovery key {where} is missing; put it there, or name its file in TONGBAN_BACKUP_KEY."
        )
    found = "".join(where.read_text().split())
    if len(found) < _SHORTEST:
        raise Refusal(
            f"The recovery key in {where} has fewer than {_SHORTEST} characters; write a longer one."
        )
    return found.encode()


def ensure(where: Path, inside: Path) -> bytes:
    """The key, made from 256 random bits when there is none; then the operator is told to keep it elsewhere.

    Refuses a key below `inside`, which is what the key is to bring back after its loss.
    """
    if where.resolve().is_relative_to(inside.resolve()):
        raise Refusal(
            f"The recovery key {where} lies inside of {inside}, whose loss it is for; name another file."
        )
    if not where.is_file():
        where.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        text = base64.b32encode(secrets.token_bytes(32)).decode().rstrip("=")
        # In groups of four: it can be copied from paper, and `read` passes over the gaps.
        write_private(where, " ".join(text[at : at + 4] for at in range(0, len(text), 4)) + "\n")
        line(f"A recovery key was made: {where}")
        line(
            "  Keep a copy of it elsewhere (on paper, in a safe). Without it no archive can be opened, by nobody."
        )
    return read(where)
