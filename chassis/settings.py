"""What a process is told by its environment. Every setting has the prefix TONGBAN_.

A missing setting that has no safe default stops the process at start with one sentence that names it.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import cache
from pathlib import Path


class SettingMissing(RuntimeError):
    """A setting without a safe default is absent."""


def required(name: str) -> str:
    """A setting without a safe default.

    Raises SettingMissing.
    """
    value = os.environ.get(f"TONGBAN_{name}", "")
    if not value:
        raise SettingMissing(f"The setting TONGBAN_{name} is missing.")
    return value


def _get(name: str, default: str) -> str:
    return os.environ.get(f"TONGBAN_{name}", default)


@dataclass(frozen=True)
class Settings:
    """One process's settings, read once."""

    service: str
    process: str
    public_url: str
    mongo_uri: str
    nats_url: str
    keycloak_url: str
    realm: str
    var: Path
    secrets: Path

    @property
    def issuer(self) -> str:
        """The `iss` of every token: Keycloak's address as the browser knows it."""
        return f"{self.public_url}/id/realms/{self.realm}"

    @property
    def realm_url(self) -> str:
        """The realm as this process reaches it."""
        return f"{self.keycloak_url}/realms/{self.realm}"

    @property
    def own_var(self) -> Path:
        """This service's own folder for what can be rebuilt, such as its search index."""
        path = self.var / self.service
        path.mkdir(parents=True, exist_ok=True)
        return path

    def secret(self, name: str) -> str:
        """The content of one secret file.

        Raises SettingMissing when the file is absent.
        """
        path = self.secrets / name
        if not path.is_file():
            raise SettingMissing(f"The secret {name} is missing in {self.secrets}.")
        return path.read_text().strip()

    def optional_secret(self, name: str) -> str:
        """The content of one secret file, or '' when there is none."""
        path = self.secrets / name
        return path.read_text().strip() if path.is_file() else ""


def grpc_address(unit: str) -> str:
    """Where the gRPC server of `unit` listens, as host:port."""
    return required(f"GRPC_{unit.upper()}")


def number(name: str, default: float) -> float:
    """A numeric setting, such as IDLE_MINUTES."""
    text = _get(name, "")
    if not text:
        return default
    try:
        return float(text)
    except ValueError as problem:
        raise SettingMissing(f"The setting TONGBAN_{name} must be a number, not {text!r}.") from problem


def text(name: str, default: str = "") -> str:
    """A textual setting with a safe default."""
    return _get(name, default)


@cache
def settings() -> Settings:
    """This process's settings.

    Raises SettingMissing.
    """
    return Settings(
        service=required("SERVICE"),
        process=_get("PROCESS", "cli"),
        public_url=required("PUBLIC_URL").rstrip("/"),
        mongo_uri=required("MONGO_URI"),
        nats_url=required("NATS_URL"),
        keycloak_url=required("KEYCLOAK_URL").rstrip("/"),
        realm=_get("REALM", "tongban"),
        var=Path(required("VAR")),
        secrets=Path(required("SECRETS")),
    )
