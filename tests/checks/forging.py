"""Forged tokens: everything that a sender can write who does not hold the realm's private key, or holds another one."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from typing import Any

NONES: list[Any] = [
    "none", "None", "NONE", "nOnE", "noNe", "none ", " none", "no\u200bne", "\u0000none", "", None, ["none"],
]  # fmt: skip


def b64(data: bytes | str | dict) -> str:
    """base64url without padding."""
    if isinstance(data, dict):
        data = json.dumps(data)
    return base64.urlsafe_b64encode(data.encode() if isinstance(data, str) else data).rstrip(b"=").decode()


def parts(token: str) -> tuple[dict, dict, str]:
    """Header, claims and signature of a real token."""
    header, claims, signature = token.split(".")
    return json.loads(_decoded(header)), json.loads(_decoded(claims)), signature


def _decoded(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def unsigned(token: str) -> list[str]:
    """The claims of `token` under alg none, in 12 spellings and 5 forms each, and under no alg at all."""
    header, claims, signature = parts(token)
    forged = []
    for alg in NONES:
        heads = [{**header, "alg": alg}, {"alg": alg, "typ": "JWT"}]
        for head in heads:
            start = f"{b64(head)}.{b64(claims)}"
            forged += [f"{start}.", f"{start}.{signature}", f"{start}.{b64('x')}"]
        forged += [f"{b64(heads[0])}.{b64(claims)}", f"{b64(heads[0])}.{b64(claims)}.."]
    without = {key: value for key, value in header.items() if key != "alg"}
    forged += [f"{b64(without)}.{b64(claims)}.", f"{b64(without)}.{b64(claims)}.{signature}"]
    return forged


def keyed(token: str, secrets: dict[str, bytes]) -> dict[str, str]:
    """The claims of `token` with an HMAC under each of these public "secrets", saying HS* or, lying, RS256."""
    header, claims, _ = parts(token)
    hashes = {
        "HS256": hashlib.sha256,
        "HS384": hashlib.sha384,
        "HS512": hashlib.sha512,
        "RS256": hashlib.sha256,
    }
    forged = {}
    for name, secret in secrets.items():
        for alg, digest in hashes.items():
            for kid in (header["kid"], None):
                head = {"alg": alg, "typ": "JWT"} | ({"kid": kid} if kid else {})
                start = f"{b64(head)}.{b64(claims)}"
                signature = b64(hmac.new(secret, start.encode(), digest).digest())
                forged[f"{name} {alg} {'with' if kid else 'without'} kid"] = f"{start}.{signature}"
    return forged
