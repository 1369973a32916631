"""Files, by the SHA-256 of their content, in pieces that are read by key.

GridFS finds pieces by a filter on two fields and a sort, which the embedded database answers by scanning; so pieces have their
own keys here (docs/adr/0004). The same content is stored once.
"""

from __future__ import annotations

import contextlib
import hashlib
import uuid
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from chassis.errors import Exists, TooMuch, Unavailable, not_found
from chassis.settings import number
from chassis.store import Store

PIECE = 1 << 20  # bytes
LIMIT = 64 << 20  # bytes, unless TONGBAN_FILE_BYTES says otherwise


@dataclass(frozen=True)
class Stored:
    """A file in the store: SHA-256 in hexadecimal, and bytes."""

    digest: str
    size: int


class Files:
    """The files of one service."""

    def __init__(self, store: Store) -> None:
        self._files = store.collection("files")
        self._pieces = store.collection("file_pieces")
        self._limit = int(number("FILE_BYTES", LIMIT))

    def put(self, parts: Iterable[bytes]) -> Stored:
        """Store a file that comes in parts of any size.

        Raises TooMuch at the limit; what was stored until then is removed again.
        """
        upload, digest, size, pieces = uuid.uuid4().hex, hashlib.sha256(), 0, 0
        try:
            for piece in _pieces(parts):
                digest.update(piece)
                size += len(piece)
                self._check(size)
                # Counted before it is known to be stored, so that it is removed in any case.
                pieces += 1
                self._pieces.insert({"_id": f"{upload}|{pieces - 1}", "data": piece})
        except BaseException:
            with contextlib.suppress(Unavailable):
                self._drop(upload, pieces)
            raise
        stored = Stored(digest.hexdigest(), size)
        # Should this fail, the record may be there all the same: so its pieces stay.
        try:
            self._files.insert({"_id": stored.digest, "upload": upload, "size": size, "pieces": pieces})
        except Exists:
            # The same content was there before: that copy stays.
            self._drop(upload, pieces)
        return stored

    def read(self, digest: str) -> Iterator[bytes]:
        """The content in pieces of 1 MB.

        Raises NotFound.
        """
        record = self._files.get(digest)
        if record is None:
            raise not_found("文件")
        for index in range(record["pieces"]):
            piece = self._pieces.get(f"{record['upload']}|{index}")
            if piece is None:
                raise not_found("文件")
            yield bytes(piece["data"])

    def copy(self, digest: str, source: Files) -> None:
        """Take over a file that another store has and this one lacks; nothing when neither or both have it."""
        if self._files.get(digest) is None and source._files.get(digest) is not None:
            self.put(source.read(digest))

    def content(self, digest: str) -> bytes:
        """The whole content; for files that are known to be small."""
        return b"".join(self.read(digest))

    def _check(self, size: int) -> None:
        if size > self._limit:
            limit = self._limit >> 20
            raise TooMuch(
                "FILE_TOO_LARGE", f"文件超过 {limit} MB 的上限。", f"A file may hold {limit} MB at most."
            )

    def _drop(self, upload: str, pieces: int) -> None:
        for index in range(pieces):
            self._pieces.remove(f"{upload}|{index}")


def _pieces(parts: Iterable[bytes]) -> Iterator[bytes]:
    waiting = bytearray()
    for part in parts:
        waiting += part
        while len(waiting) >= PIECE:
            yield bytes(waiting[:PIECE])
            del waiting[:PIECE]
    if waiting:
        yield bytes(waiting)
