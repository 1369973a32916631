"""Secrets of one deployment: a folder only the owner may enter, one file each."""

import os
import secrets
from pathlib import Path

# What the engines and the set-up need before anything of the application has run.
AT_START = (
    "keycloak-admin-password", "nats-password", "gateway-client-secret", "vault-key",
    "nats-audit-password", "audit-signing-key", "address-key",
)  # fmt: skip


def ensure(folder: Path, name: str) -> str:
    """The secret `name`, made from 256 random bits when there is none.

    The file appears with its content and its final rights at once.
    """
    path = folder / name
    if path.is_file() and (value := path.read_text().strip()):
        return value
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    folder.chmod(0o700)
    value = secrets.token_urlsafe(32)
    write_private(path, value)
    return value


def write_private(path: Path, text: str) -> None:
    """Write a file which only its owner may read, whole or not at all."""
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    draft.touch(mode=0o600)
    draft.write_text(text)
    draft.rename(path)


def demo_key(folder: Path, *, wanted: bool) -> None:
    """The key with which demonstration data are written in anybody's name: on a demonstration only."""
    if wanted:
        ensure(folder, "demo-key")
    else:
        (folder / "demo-key").unlink(missing_ok=True)
