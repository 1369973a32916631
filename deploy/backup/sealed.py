"""An encrypted file that is written and read as a stream.

    header   magic, salt, check of the key
    chunks   flag (0 more, 1 last), length, AES-256-GCM ciphertext

Each archive has a key of its own: scrypt of the recovery key with the archive's salt. A chunk's nonce is its number; header, number,
flag and length are authenticated with it. So a chunk that was changed, left out, repeated or moved, a cut end and anything after the end are
refused, and so is every flipped bit.
"""

from __future__ import annotations

import hmac
import os
from collections.abc import Iterator
from functools import lru_cache
from hashlib import scrypt, sha256
from typing import BinaryIO

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from deploy.local.say import Refusal

MAGIC = b"TONGBAN BACKUP 1"
CHUNK = 1 << 18
_SALT, _CHECK, _TAG = 32, 16, 16
_MORE, _LAST = b"\x00", b"\x01"


class Damaged(Refusal):
    """The archive is not, bit for bit, what was written."""


@lru_cache(4)
def _derive(secret: bytes, salt: bytes) -> tuple[bytes, bytes]:
    """The archive's key, and what tells a wrong recovery key from a damaged archive."""
    made = scrypt(secret, salt=salt, n=1 << 15, r=8, p=1, maxmem=1 << 26, dklen=64)
    return made[:32], sha256(b"check" + made[32:]).digest()[:_CHECK]


class Sealer:
    """Writes an archive. What is not closed by `close` is refused by `opened`."""

    def __init__(self, out: BinaryIO, secret: bytes) -> None:
        salt = os.urandom(_SALT)
        key, check = _derive(secret, salt)
        self._header = MAGIC + salt + check
        self._box, self._out = AESGCM(key), out
        self._waiting, self._number = bytearray(), 0
        out.write(self._header)

    def write(self, data: bytes) -> None:
        """Take more of the content."""
        self._waiting += data
        while len(self._waiting) > CHUNK:
            self._put(_MORE, bytes(self._waiting[:CHUNK]))
            del self._waiting[:CHUNK]

    def close(self) -> None:
        """Write what is left, marked as the end. The file under it stays open."""
        self._put(_LAST, bytes(self._waiting))
        self._waiting.clear()

    def _put(self, flag: bytes, data: bytes) -> None:
        frame = flag + (len(data) + _TAG).to_bytes(4, "big")
        self._out.write(
            frame + self._box.encrypt(_nonce(self._number), data, _bound(self._header, self._number, frame))
        )
        self._number += 1


def opened(source: BinaryIO, secret: bytes) -> Iterator[bytes]:
    """The content, chunk by chunk; a chunk is handed out only after it was found genuine.

    Raises Damaged; only who has read to the end knows that nothing is missing.
    """
    header = source.read(len(MAGIC) + _SALT + _CHECK)
    if not header.startswith(MAGIC) or len(header) < len(MAGIC) + _SALT + _CHECK:
        raise Damaged("This is not an archive of Tongban, or its beginning is damaged.")
    key, check = _derive(secret, header[len(MAGIC) : -_CHECK])
    if not hmac.compare_digest(check, header[-_CHECK:]):
        raise Damaged(
            "The recovery key is not the one of this archive, or the archive's beginning is damaged."
        )
    box, number, flag = AESGCM(key), 0, _MORE
    while flag != _LAST:
        frame = source.read(5)
        flag, length = frame[:1], int.from_bytes(frame[1:], "big")
        if len(frame) < 5 or flag not in (_MORE, _LAST) or not _TAG <= length <= CHUNK + _TAG:
            raise Damaged(f"The archive is damaged or cut off at chunk {number}.")
        try:
            yield box.decrypt(_nonce(number), source.read(length), _bound(header, number, frame))
        except InvalidTag:
            raise Damaged(f"The archive is damaged at chunk {number}.") from None
        number += 1
    if source.read(1):
        raise Damaged("The archive is damaged: something follows its end.")


def _nonce(number: int) -> bytes:
    return number.to_bytes(12, "big")


def _bound(header: bytes, number: int, frame: bytes) -> bytes:
    return header + number.to_bytes(8, "big") + frame
