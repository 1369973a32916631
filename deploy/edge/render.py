"""Writes the edge's configuration, nginx.conf and its includes, from the environment and the list of units.

Stands on the standard library alone, so that `make run`, the image and the chart can all call it.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import shutil
import stat
from ipaddress import ip_network
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
MEMORY = Path("/dev/shm")  # noqa: S108 - what lies there is believed only after a look whose it is
# Pages of the portal that are shown without a login.
PUBLIC_PAGES = (
    "= /signed-out", "^~ /signed-out/", "= /offline", "= /sw.js", "= /manifest.webmanifest", "= /favicon.ico",
    "^~ /portal-static/",
)  # fmt: skip
_ADDRESS = re.compile(r"[A-Za-z0-9.\[\]:_-]+:[0-9]{1,5}")
_VALUE = re.compile(r"[A-Za-z0-9./:_\[\]@-]*")


class BadSetting(ValueError):
    """A setting is absent or could not stand in a configuration file."""


def render(env: dict[str, str], units: dict[str, dict[str, Any]], out_dir: Path) -> Path:
    """Write the configuration into `out_dir`, nginx' own folder from now on; returns nginx.conf's path.

    env: the process contract's TONGBAN_ settings; units: the tables of deploy/units.toml. Raises BadSetting.
    """
    for folder in ("temp", "sessions"):
        (out_dir / folder).mkdir(mode=0o700, parents=True, exist_ok=True)
    values = _values(env, units, out_dir)
    for source in sorted((HERE / "includes").glob("*.conf")):
        _write(out_dir / source.name, _filled(source.read_text(encoding="utf-8"), values))
    config = out_dir / "nginx.conf"
    _write(config, _filled((HERE / "nginx.conf.template").read_text(encoding="utf-8"), values))
    return config


def _values(env: dict[str, str], units: dict[str, dict[str, Any]], out_dir: Path) -> dict[str, str]:
    public = urlsplit(_setting(env, "PUBLIC_URL"))
    apps = _setting(env, "APPS_DOMAIN")
    apps_name = apps.partition(":")[0]
    port = _setting(env, "EDGE_PORT", str(public.port or 443))
    return {
        "OUT": _path(out_dir),
        "TLS": _path(Path(env.get("TONGBAN_TLS") or f"{_setting(env, 'VAR')}/tls")),
        "STATIC": _path(ROOT / "chassis" / "web" / "static"),
        "VENDOR": _path(Path(_setting(env, "STATIC_VENDOR"))),
        "ERRORS": _path(HERE / "errors"),
        "CACHE": _path(_memory_folder(out_dir)),
        # Started by root, nginx would give its workers to a user who may not read this folder.
        "USER": "user root;" if os.getuid() == 0 else "",
        "WORKERS": _setting(env, "EDGE_WORKERS", "auto"),
        "CONNECTIONS": _setting(env, "CONNECTIONS_PER_ADDRESS", "1000"),
        "LISTEN": f"{_setting(env, 'BIND', '127.0.0.1')}:{port}",
        "PUBLIC_URL": _setting(env, "PUBLIC_URL").rstrip("/"),
        "PUBLIC_HOST": public.netloc,
        "PUBLIC_NAME": public.hostname or "",
        "PUBLIC_PORT": str(public.port or 443),
        "APPS_DOMAIN": apps,
        "APPS_PATTERN": re.escape(apps_name).replace("\\-", "-"),
        "REALM": _setting(env, "REALM", "tongban"),
        "UPSTREAMS": _upstreams(env, units),
        "TRUSTED_UPSTREAMS": _trusted_upstreams(env.get("TONGBAN_TRUSTED_UPSTREAMS", "")),
        "STATUS": _status(env.get("TONGBAN_EDGE_STATUS", "")),
        "PAGES": _pages(units),
    }


def _setting(env: dict[str, str], name: str, default: str = "") -> str:
    value = env.get(f"TONGBAN_{name}") or default
    if not value or not _VALUE.fullmatch(value):
        raise BadSetting(f"TONGBAN_{name} is missing, or holds characters that may not stand in nginx.conf.")
    return value


def _path(path: Path) -> str:
    # nginx reads quotes, spaces and $ in a path as its own syntax.
    if not re.fullmatch(r"[A-Za-z0-9./_@+-]+", str(path)):
        raise BadSetting(
            f"The folder {path} holds characters that may not stand in nginx.conf; choose another."
        )
    return str(path)


def forget(out_dir: Path) -> None:
    """Remove what an edge that has stopped kept in memory."""
    folder = _in_memory(out_dir)
    if _ours(folder):
        shutil.rmtree(folder)


def _memory_folder(out_dir: Path) -> Path:
    """A folder in memory for the answers about sessions; on the disk where the system has none, or somebody else took its name."""
    folder = _in_memory(out_dir)
    with contextlib.suppress(OSError):
        folder.mkdir(mode=0o700, exist_ok=True)
        if _ours(folder):
            return folder
    return out_dir / "sessions"


def _in_memory(out_dir: Path) -> Path:
    return MEMORY / f"tongban-edge-{os.getuid()}-{hashlib.sha256(str(out_dir).encode()).hexdigest()[:12]}"


def _ours(folder: Path) -> bool:
    """Whether it is a folder, no link to one, that nobody but this user may enter: everybody may write beside it."""
    try:
        found = folder.lstat()
    except FileNotFoundError:
        return False
    return stat.S_ISDIR(found.st_mode) and found.st_uid == os.getuid() and not found.st_mode & 0o077


def _upstreams(env: dict[str, str], units: dict[str, dict[str, Any]]) -> str:
    keycloak = urlsplit(_setting(env, "KEYCLOAK_URL"))
    found = {
        "gateway": _setting(env, "HTTP_GATEWAY"),
        "stream": _setting(env, "STREAM"),
        "keycloak": f"{keycloak.hostname}:{keycloak.port or 80}",
    }
    for name, unit in units.items():
        if unit.get("pages"):
            found[f"{name}_pages"] = _setting(env, f"HTTP_{name.upper()}")
    for name, address in found.items():
        if not _ADDRESS.fullmatch(address):
            raise BadSetting(f"The address of {name}, {address!r}, is not host:port.")
    # The idle time is shorter than the servers' own, so that they never close a connection which is being
    # used. Each address stands twice, because nginx repeats a request that was cut off at the next server only.
    return "\n".join(
        f"    upstream {name} {{\n"
        + f"        server {address} max_fails=0;\n" * 2
        + "        keepalive 32;\n        keepalive_timeout 60s;\n    }"
        for name, address in found.items()
    )


def _trusted_upstreams(given: str) -> str:
    """Addresses and networks, separated by commas, whose traces are continued."""
    try:
        networks = [ip_network(one.strip()) for one in given.split(",") if one.strip()]
    except ValueError as problem:
        raise BadSetting(
            f"TONGBAN_TRUSTED_UPSTREAMS holds what is no address or network: {problem}."
        ) from problem
    return "\n".join(f"        {network} trusted;" for network in networks)


def _status(address: str) -> str:
    """The figures of nginx itself, on a port of their own that nobody outside of this machine reaches."""
    if not address:
        return ""
    if not _ADDRESS.fullmatch(address):
        raise BadSetting(f"TONGBAN_EDGE_STATUS, {address!r}, is not host:port.")
    return f"""    server {{
        listen {address};
        access_log off;
        allow 127.0.0.1;
        deny all;
        location = /status {{
            stub_status;
        }}
        location / {{
            return 404;
        }}
    }}"""


def _pages(units: dict[str, dict[str, Any]]) -> str:
    blocks = []
    for name, unit in units.items():
        if not unit.get("pages"):
            continue
        path = str(unit["path"])
        if not re.fullmatch(r"/(?:[a-z0-9_-]+/)?", path):
            raise BadSetting(f"The path {path!r} of {name} is not / or /<word>/.")
        blocks.append(_location(path, name, "/_session"))
        if path == "/":
            # Administration acts on what holds now, not on what held a second ago.
            blocks.append(_location("/administration", name, "/_session_now"))
            blocks += [_public(page, name) for page in PUBLIC_PAGES]
        else:
            blocks.append(
                f"        location = {path.rstrip('/')} {{\n            return 301 {path};\n        }}"
            )
            blocks.append(_public(f"^~ {path}static/", name))
    return "\n".join(blocks)


def _location(path: str, unit: str, question: str) -> str:
    return f"""        location {path} {{
            auth_request {question};
            include @@OUT@@/pages.conf;
            proxy_pass http://{unit}_pages;
        }}"""


def _public(path: str, unit: str) -> str:
    return f"""        location {path} {{
            include @@OUT@@/client_headers.conf;
            proxy_set_header Cookie $other_cookies;
            proxy_pass http://{unit}_pages;
        }}"""


def _filled(template: str, values: dict[str, str]) -> str:
    """The template with every @@NAME@@ replaced; values may hold further ones."""
    text = template
    for _ in range(3):
        text = re.sub(r"@@([A-Z_]+)@@", lambda found: values[found[1]], text)
    return text


def _write(path: Path, text: str) -> None:
    path.touch(mode=0o600)
    path.write_text(text, encoding="utf-8")
