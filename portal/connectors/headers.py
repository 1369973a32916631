"""Which headers pass between a browser and a legacy system. Pure functions. # check 17, 39"""

from __future__ import annotations

import re
from collections.abc import Iterable
from urllib.parse import quote, urljoin, urlsplit

from chassis.identity_types import Principal
from portal.connectors.target import Target
from portal.model import Connector

# Only these reach a legacy system. Whatever is not listed stays here: tokens, cookies, who the person is,
# which way it came.
_UP = frozenset(
    {
        "accept", "accept-language", "cache-control", "content-length", "content-type", "if-match",
        "if-modified-since",
        "if-none-match", "if-range", "if-unmodified-since", "pragma", "range", "soapaction", "user-agent",
        "x-csrf-token",
        "x-requested-with", "x-xsrf-token",
    }
)  # fmt: skip
# These never come down: hop-by-hop, cookies, and what would bind the browser on a host that is ours.
_NOT_DOWN = frozenset(
    {
        "connection", "keep-alive", "proxy-authenticate", "proxy-authorization", "proxy-connection", "te",
        "trailer", "trailers",
        "transfer-encoding", "upgrade", "set-cookie", "set-cookie2", "location", "refresh",
        "strict-transport-security",
        "public-key-pins", "expect-ct", "alt-svc", "clear-site-data", "server", "x-powered-by",
        "www-authenticate",
        "service-worker-allowed", "access-control-allow-origin", "access-control-allow-credentials",
        "report-to", "nel",
    }
)  # fmt: skip

# Orders to a web server in front of an application: ours must not take any from a legacy system.
_OURS = ("x-tongban", "x-accel-", "x-sendfile")


def canonical(name: str) -> str:
    """A header's name as a careless server reads it: neither case nor marks nor blanks make a difference."""
    return re.sub(r"[^a-z0-9]", "", name.lower())


def upward(
    given: Iterable[tuple[str, str]], target: Target, cookies: str, identity: tuple[str, str] | None
) -> list[tuple[str, str]]:
    """The headers for the legacy system.

    What is harmless of the browser's, the jar's cookies, the trusted header.

    Every spelling of the trusted header that the browser sent is left out.
    """
    barred = canonical(identity[0]) if identity else ""
    kept: list[tuple[str, str]] = []
    for name, value in given:
        lower = name.lower()
        if lower in _UP and canonical(name) != barred:
            kept.append((name, value))
        elif lower == "origin":
            kept.append((name, target.origin))
        elif lower == "referer":
            parts = urlsplit(value)
            kept.append(
                (name, f"{target.origin}{parts.path or '/'}{'?' + parts.query if parts.query else ''}")
            )
    kept.append(("Accept-Encoding", "gzip"))
    if cookies:
        kept.append(("Cookie", cookies))
    if identity:
        kept.append(identity)
    return kept


def identity_header(connector: Connector, principal: Principal) -> tuple[str, str] | None:
    """The trusted header for this person; None for connectors without one.

    What is not ASCII is percent-encoded.
    """
    if connector.kind != "header":
        return None
    values = {"username": principal.username, "person": principal.person, "name": principal.name}
    return connector.header, quote(values[connector.header_value], safe="@.+- ")


def downward(given: Iterable[tuple[str, str]], target: Target, path: str) -> list[tuple[str, str]]:
    """The headers for the browser; an address at the system's own origin becomes one below its host here."""
    kept: list[tuple[str, str]] = []
    dropped = set(_NOT_DOWN)
    given = list(given)
    for name, value in given:
        if name.lower() == "connection":
            dropped |= {part.strip().lower() for part in value.split(",")}
    for name, value in given:
        lower = name.lower()
        if lower in ("location", "content-location"):
            kept.append((name, relocated(value, target, path)))
        elif lower == "refresh" and (
            found := re.match(r"\s*(\d+)\s*;\s*url\s*=\s*['\"]?([^'\"]+)", value, re.IGNORECASE)
        ):
            kept.append((name, f"{found.group(1)}; url={relocated(found.group(2), target, path)}"))
        elif lower not in dropped and not lower.startswith(_OURS):
            kept.append((name, value))
    return kept


def relocated(value: str, target: Target, path: str) -> str:
    """Where a redirect leads, seen from the browser.

    Own addresses without scheme and host, foreign ones as they are.
    """
    whole = urljoin(f"{target.origin}{path}", value.strip())
    if not target.same_origin(whole.partition("#")[0]):
        return value
    parts = urlsplit(whole)
    # Two slashes at the beginning would name another host to the browser.
    inner = "/" + parts.path.lstrip("/")
    return (
        inner + (f"?{parts.query}" if parts.query else "") + (f"#{parts.fragment}" if parts.fragment else "")
    )
