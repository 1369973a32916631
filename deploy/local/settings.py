"""What the operator may decide about one deployment, and the folder it lives in."""

import argparse
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from deploy.local.cache import ROOT
from deploy.local.say import Refusal

BASE_PORT = 17000
EDGE_PORT = 8443
LOG_BYTES = 64 << 20


@dataclass(frozen=True)
class Settings:
    """One deployment on this machine."""

    var: Path
    base_port: int = BASE_PORT
    edge_port: int = EDGE_PORT
    bind: str = "127.0.0.1"
    demo: bool = True
    log_bytes: int = LOG_BYTES
    root: Path = ROOT

    @property
    def logs(self) -> Path:
        return self.var / "logs"

    @property
    def secrets(self) -> Path:
        return self.var / "secrets"

    @property
    def tls(self) -> Path:
        return self.var / "tls"

    @property
    def certificates(self) -> Path:
        """The folder of the units' own certificates."""
        return self.tls / "units"

    @property
    def state_file(self) -> Path:
        return self.var / "state.json"

    @property
    def public_url(self) -> str:
        return f"https://localhost{self._port_suffix}"

    @property
    def apps_domain(self) -> str:
        return f"apps.localhost{self._port_suffix}"

    @property
    def _port_suffix(self) -> str:
        return "" if self.edge_port == 443 else f":{self.edge_port}"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The flags that `from_arguments` reads."""
    parser.add_argument("--var", type=Path, help="the deployment's folder (TONGBAN_VAR; var/run)")
    parser.add_argument("--base-port", type=int, help=f"first internal port (TONGBAN_BASE_PORT; {BASE_PORT})")
    parser.add_argument("--edge-port", type=int, help=f"HTTPS port (TONGBAN_EDGE_PORT; {EDGE_PORT})")
    parser.add_argument("--no-demo", action="store_true", help="no demonstration data (TONGBAN_NO_DEMO=1)")


def from_arguments(given: argparse.Namespace, environ: Mapping[str, str] = os.environ) -> Settings:
    """Settings from the flags, else from the environment, else the defaults."""
    return Settings(
        var=Path(given.var or environ.get("TONGBAN_VAR") or ROOT / "var" / "run").absolute(),
        base_port=_port("TONGBAN_BASE_PORT", given.base_port, environ, BASE_PORT),
        edge_port=_port("TONGBAN_EDGE_PORT", given.edge_port, environ, EDGE_PORT),
        bind=environ.get("TONGBAN_BIND") or "127.0.0.1",
        demo=not given.no_demo and environ.get("TONGBAN_NO_DEMO") != "1",
        log_bytes=_bytes("TONGBAN_LOG_BYTES", environ, LOG_BYTES),
    )


def _bytes(name: str, environ: Mapping[str, str], default: int) -> int:
    text = environ.get(name) or str(default)
    if not text.isdigit() or int(text) < 1 << 20:
        raise Refusal(f"{name} must be a number of bytes, at least {1 << 20}, not {text!r}.")
    return int(text)


def _port(name: str, flag: int | None, environ: Mapping[str, str], default: int) -> int:
    text = str(flag) if flag is not None else environ.get(name) or str(default)
    if not text.isdigit() or not 1 <= int(text) <= 65535:
        raise Refusal(f"{name} must be a port number between 1 and 65535, not {text!r}.")
    return int(text)
