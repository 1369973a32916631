"""Secrets of one deployment: a folder only the owner may enter, one file each."""

from pathlib import Path

from chassis.durable import ensure_secret, replace_file

# What the engines and the set-up need before anything of the application has run.
AT_START = (
    "keycloak-admin-password", "nats-password", "gateway-client-secret", "vault-key",
    "nats-audit-password", "audit-signing-key", "address-key",
)  # fmt: skip


def private(folder: Path) -> None:
    """Make the folder of the secrets one that its owner alone may enter."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    folder.chmod(0o700)


def write_private(path: Path, text: str) -> None:
    """Write a file which only its owner may read, whole or not at all."""
    replace_file(path, text.encode())


def demo_key(folder: Path, *, wanted: bool) -> None:
    """The key with which demonstration data are written in anybody's name: on a demonstration only."""
    if wanted:
        ensure_secret(folder, "demo-key")
    else:
        (folder / "demo-key").unlink(missing_ok=True)
