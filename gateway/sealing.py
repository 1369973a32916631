"""Tokens lie sealed in the database: who copies the database or a backup of it gets no token.

The keys are derived from the gateway's client secret, which lies elsewhere and which every gateway process
has.
"""

from __future__ import annotations

import json
import os
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF


class Broken(ValueError):
    """Sealed bytes were changed, belong to another record, or were sealed by another key."""


class Seal:
    """Seals small JSON values for one purpose.

    `place` binds a value to its record, so that values cannot be exchanged.
    """

    def __init__(self, secret: str, purpose: str) -> None:
        key = HKDF(SHA256(), 32, b"tongban.gateway", purpose.encode()).derive(secret.encode())
        self._box = AESGCM(key)

    def close(self, value: Any, place: str) -> bytes:
        """`value` sealed."""
        nonce = os.urandom(12)
        return nonce + self._box.encrypt(nonce, json.dumps(value).encode(), place.encode())

    def open(self, sealed: bytes, place: str) -> Any:
        """The value behind `sealed`.

        Raises Broken.
        """
        try:
            return json.loads(self._box.decrypt(sealed[:12], sealed[12:], place.encode()))
        except (InvalidTag, ValueError) as problem:
            raise Broken("sealed bytes do not open") from problem
