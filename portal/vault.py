"""Credentials for legacy systems, sealed so that the database alone gives nothing away.

Envelope encryption: each credential has a data key of its own, which is sealed with the vault's key
(AES-256-GCM both). Both are bound to person and system: a sealed credential that is copied to another
person's or system's record does not open. # check 87
"""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import dataclass, field

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

_NONCE = 12


class Unsealable(ValueError):
    """What was sealed does not open: another key, another person or system, or it was altered."""


@dataclass(frozen=True)
class Secret:
    """A person's name and password at one system. Never shown by repr, so that no log can hold it."""

    username: str = field(repr=False)
    password: str = field(repr=False)


class Vault:
    """Seals and opens with the vault's key."""

    def __init__(self, key: str) -> None:
        if len(key) < 32:
            raise ValueError("The secret vault-key must have at least 32 characters.")
        self._key = AESGCM(hashlib.sha256(b"tongban-vault-1\n" + key.encode()).digest())

    def seal(self, plain: bytes, bound_to: str) -> bytes:
        """`plain` sealed for one purpose, e.g. "<person>|<app>"."""
        data_key = AESGCM.generate_key(256)
        wrapped = _encrypt(self._key, data_key, bound_to)
        return wrapped + _encrypt(AESGCM(data_key), plain, bound_to)

    def open(self, sealed: bytes, bound_to: str) -> bytes:
        """What was sealed.

        Raises Unsealable.
        """
        length = _NONCE + 32 + 16
        try:
            data_key = _decrypt(self._key, sealed[:length], bound_to)
            return _decrypt(AESGCM(data_key), sealed[length:], bound_to)
        except (InvalidTag, ValueError) as problem:
            raise Unsealable("The sealed value does not open.") from problem

    def seal_secret(self, secret: Secret, person: str, app: str) -> bytes:
        """A credential, bound to person and system."""
        plain = json.dumps([secret.username, secret.password]).encode()
        return self.seal(plain, bound(person, app))

    def open_secret(self, sealed: bytes, person: str, app: str) -> Secret:
        """The credential of this person for this system.

        Raises Unsealable.
        """
        return Secret(*json.loads(self.open(sealed, bound(person, app))))


def bound(person: str, app: str) -> str:
    """What a credential is bound to. Neither part can hold the separator."""
    return f"credential|{person}|{app}"


def _encrypt(key: AESGCM, plain: bytes, bound_to: str) -> bytes:
    nonce = os.urandom(_NONCE)
    return nonce + key.encrypt(nonce, plain, bound_to.encode())


def _decrypt(key: AESGCM, sealed: bytes, bound_to: str) -> bytes:
    return key.decrypt(sealed[:_NONCE], sealed[_NONCE:], bound_to.encode())
