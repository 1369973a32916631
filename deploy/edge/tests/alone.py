"""A real nginx with our configuration in front of one server of a test's own."""

from __future__ import annotations

import contextlib
import shutil
import ssl
import subprocess
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx

from deploy.edge import render as edge
from deploy.local import tls
from deploy.local.ports import free_block

NGINX = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")
ENV = {
    "TONGBAN_PUBLIC_URL": "https://localhost:8443",
    "TONGBAN_APPS_DOMAIN": "apps.localhost:8443",
    "TONGBAN_REALM": "tongban",
    "TONGBAN_KEYCLOAK_URL": "http://127.0.0.1:17003/id",
    "TONGBAN_VAR": "/srv/x",
    "TONGBAN_STATIC_VENDOR": "/srv/vendor",
    "TONGBAN_BIND": "127.0.0.1",
    "TONGBAN_EDGE_PORT": "28443",
    "TONGBAN_STREAM": "127.0.0.1:17022",
} | {
    f"TONGBAN_HTTP_{unit}": f"127.0.0.1:{17030 + number}"
    for number, unit in enumerate(
        ["GATEWAY", "PORTAL", "DOCUMENTS", "MEETINGS", "TASKS", "KNOWLEDGE", "AUDIT"]
    )
}


@dataclass(frozen=True)
class Alone:
    """A running edge: its process, its address, the port of its figures, its folder, a client that trusts it."""

    process: subprocess.Popen[bytes]
    url: str
    status: str
    folder: Path
    client: httpx.Client


@contextlib.contextmanager
def alone(folder: Path, upstream: int, **more: str) -> Iterator[Alone]:
    """One in `folder` whose gateway is the server at this port; more: further TONGBAN_ settings. It answers when this yields."""
    tls.ensure(folder / "tls")
    units = tomllib.loads((edge.ROOT / "deploy" / "units.toml").read_text())
    out = folder / "edge"
    with free_block() as port:
        given = ENV | {
            "TONGBAN_TLS": str(folder / "tls"), "TONGBAN_EDGE_PORT": str(port), "TONGBAN_PUBLIC_URL": f"https://localhost:{port}",
            "TONGBAN_HTTP_GATEWAY": f"127.0.0.1:{upstream}", "TONGBAN_EDGE_WORKERS": "1", "TONGBAN_EDGE_STATUS": f"127.0.0.1:{port + 1}",
            **more,
        }  # fmt: skip
        nginx = subprocess.Popen(
            [NGINX, "-p", out, "-c", edge.render(given, units, out), "-g", "daemon off;"]
        )
        try:
            trusted = ssl.create_default_context(cafile=folder / "tls" / "ca.crt")
            # Until it listens, connections are refused; asked again by the client itself.
            with httpx.Client(
                transport=httpx.HTTPTransport(verify=trusted, retries=8), base_url=f"https://localhost:{port}"
            ) as client:
                status = f"http://127.0.0.1:{port + 1}/status"
                with httpx.Client(transport=httpx.HTTPTransport(retries=8)) as early:
                    early.get(status).raise_for_status()
                yield Alone(nginx, f"https://localhost:{port}", status, out, client)
        finally:
            nginx.terminate()
            nginx.wait(10)
