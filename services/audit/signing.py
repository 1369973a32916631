"""Signatures of checkpoints and anchors: Ed25519, by the secret `audit-signing-key`.

Who can read that secret and write the chain's folder could sign a chain of his own making. What he cannot change is the witness:
the place elsewhere where checkpoints stand as well.
"""

from __future__ import annotations

import base64
import binascii
from dataclasses import replace
from typing import TypeVar

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from chassis.settings import SettingMissing
from services.audit.model.chain import Anchor, Checkpoint

SECRET = "audit-signing-key"  # noqa: S105 - the name of a file
Signed = TypeVar("Signed", Checkpoint, Anchor)


class Signer:
    """Signs, and knows its own signatures."""

    def __init__(self, secret: str) -> None:
        try:
            seed = base64.urlsafe_b64decode(secret + "=" * (-len(secret) % 4))
            self._key = Ed25519PrivateKey.from_private_bytes(seed)
        except (ValueError, binascii.Error) as problem:
            raise SettingMissing(f"The secret {SECRET} must be 32 bytes in base64.") from problem

    def sign(self, said: Signed) -> Signed:
        """The same, signed."""
        signature = base64.b64encode(self._key.sign(said.body())).decode()
        return replace(said, signature=signature)

    def good(self, said: Checkpoint | Anchor) -> bool:
        """Whether it was signed by this key as it stands."""
        public: Ed25519PublicKey = self._key.public_key()
        try:
            public.verify(base64.b64decode(said.signature, validate=True), said.body())
        except (InvalidSignature, ValueError, binascii.Error):
            return False
        return True
