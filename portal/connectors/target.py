"""Which places may be contacted.

Exactly the origin in a system's record, and that only when its addresses are acceptable.

Two gates. At saving, the address is read strictly and refused when it is no plain http(s) origin. At
connecting, the name is resolved here, every address it has is judged, and the connection goes to the judged
address itself, so that a name which resolves to something else a moment later gains nothing. # check 38
"""

from __future__ import annotations

import ipaddress
import json
import os
import re
import socket
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from chassis import log
from chassis.errors import Forbidden, InvalidInput, Unavailable
from chassis.settings import text

_NAME = re.compile(
    r"(?=.{1,253}\Z)[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?)*\Z"
)
_OWN = (
    "MONGO_URI", "NATS_URL", "NATS_MONITOR", "KEYCLOAK_URL", "KEYCLOAK_MANAGEMENT", "STREAM", "EDGE_STATUS",
)  # fmt: skip
_OWN_PREFIXES = ("GRPC", "HTTP")
_log = log.get(__name__)


@dataclass(frozen=True)
class Target:
    """Scheme, host, port, and path with query."""

    scheme: str
    host: str
    port: int
    path: str

    @property
    def authority(self) -> str:
        """The value of the Host header."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == (443 if self.scheme == "https" else 80) else f"{host}:{self.port}"

    @property
    def origin(self) -> str:
        """scheme://host[:port]"""
        return f"{self.scheme}://{self.authority}"

    def same_origin(self, url: str) -> bool:
        """Whether an absolute address lies at this very origin."""
        try:
            other = parse_target(url)
        except InvalidInput:
            return False
        return (other.scheme, other.host, other.port) == (self.scheme, self.host, self.port)


def parse_target(url: str) -> Target:
    """The target that an address names.

    Raises InvalidInput: another scheme, a user name in it, a host that is neither a plain name nor a plain
    IP address (decimal, octal and abbreviated spellings), control characters, a backslash.
    """
    if not url.isascii() or not url.isprintable() or any(mark in url for mark in " \\<>\"'`{}|^"):
        raise _bad("地址含有不允许的字符")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as problem:
        raise _bad("地址格式不正确") from problem
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise _bad("地址应以 http:// 或 https:// 开头")
    if "@" in parts.netloc or "%" in parts.netloc or port == 0:
        raise _bad("地址中不能包含用户名或转义字符")
    host = _host(parts.hostname.lower())
    path = parts.path or "/"
    return Target(
        parts.scheme,
        host,
        port or (443 if parts.scheme == "https" else 80),
        path + (f"?{parts.query}" if parts.query else ""),
    )


def _host(host: str) -> str:
    try:
        return str(ipaddress.ip_address(host))
    except ValueError:
        pass
    # A name whose last label is a number is an address in disguise: 2130706433, 0177.0.0.1, 127.1, 0x7f.1
    if not _NAME.match(host) or re.fullmatch(r"(?:0x[0-9a-f]*|[0-9]+)", host.rpartition(".")[2]):
        raise _bad("主机名不正确，请使用域名或标准的IP地址")
    return host


def judged_addresses(host: str, port: int) -> list[str]:
    """The addresses of a host, once all of them are acceptable.

    Raises Forbidden when any is not; Unavailable when the name is unknown.
    """
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except OSError as problem:
        _log.warning("name not resolved", host=host, problem=str(problem))
        raise Unavailable(
            "APP_UNREACHABLE",
            "无法解析该系统的地址，请联系系统管理员。",
            "The system's name cannot be resolved.",
        ) from problem
    addresses = list(dict.fromkeys(str(entry[4][0]) for entry in found))
    for address in addresses:
        if not acceptable(address, port):
            _log.warning("target refused", host=host, address=address, port=port)
            raise Forbidden("TARGET_REFUSED", "该地址不允许接入。", "This place may not be contacted.")
    return addresses


def acceptable(address: str, port: int) -> bool:
    """Whether an IP address and port may be contacted for a system of the catalogue.

    Offices' systems stand in private networks, so these are allowed. Never: link-local (cloud metadata),
    multicast, unspecified and reserved addresses. The loopback only where TONGBAN_LOOPBACK_APPS=1 or on a
    demonstration, and never a port of the platform's own.
    """
    ip = ipaddress.ip_address(address.partition("%")[0])
    mapped = getattr(ip, "ipv4_mapped", None) or getattr(ip, "sixtofour", None)
    if mapped is not None:
        return acceptable(str(mapped), port)
    if ip.is_link_local or ip.is_multicast or ip.is_unspecified or (ip.is_reserved and not ip.is_loopback):
        return False
    if ip.version == 4 and int(ip) >> 24 == 0:
        return False
    if ip.is_loopback:
        allowed = text("LOOPBACK_APPS", text("DEMO", "0")) == "1"
        return allowed and port not in own_ports()
    return True


def own_ports(sites: tuple[str, ...] = ("OLDSITE", "HEADERSITE")) -> set[int]:
    """Ports on which the platform itself listens, out of its settings.

    The sample sites are foreign systems.
    """
    ports: set[int] = set()
    for name, value in os.environ.items():
        short = name.removeprefix("TONGBAN_")
        if short == name or short.rpartition("_")[2] in sites:
            continue
        if short in _OWN or short.startswith(_OWN_PREFIXES):
            ports |= {int(port) for port in re.findall(r":(\d{2,5})(?=[/,?]|\Z)", value)}
        elif short == "EDGE_PORT" and value.isdecimal():
            ports.add(int(value))
        elif short == "TARGETS" and Path(value).is_file():
            listed = json.loads(Path(value).read_text())
            ports |= {int(one.rpartition(":")[2]) for entry in listed for one in entry["targets"]}
    return ports


def _bad(sentence: str) -> InvalidInput:
    return InvalidInput(
        "BAD_ADDRESS", f"{sentence}。", "Not an acceptable address.", {"connector.url": sentence}
    )
