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

from chassis.errors import Exists, Unavailable, not_found
from chassis.store import Store
from chassis.uploads import received

PIECE = 1 << 20  # bytes
FILES, PIECES = "files", "file_pieces"  # the collections


@dataclass(frozen=True)
class Stored:
    """A file in the store: SHA-256 in hexadecimal, bytes, and what its content is (chassis.uploads)."""

    digest: str
    size: int
    media_type: str = "application/octet-stream"


class Files:
    """The files of one service."""

    def __init__(self, store: Store) -> None:
        self._files = store.collection(FILES)
        self._pieces = store.collection(PIECES)

    def put(self, parts: Iterable[bytes], *, name: str = "", own: bool = False) -> Stored:
        """Store a file that comes in parts of any size; name and own as in chassis.uploads.received.

        Raises what that raises; nothing of a refused file is stored.
        """
        with received(parts, name=name, own=own) as file:
            return self._keep(file.pieces(), file.media_type)

    def _keep(self, parts: Iterable[bytes], media_type: str) -> Stored:
        upload, digest, size, pieces = uuid.uuid4().hex, hashlib.sha256(), 0, 0
        try:
            for piece in _pieces(parts):
                digest.update(piece)
                size += len(piece)
                # Counted before it is known to be stored, so that it is removed in any case.
                pieces += 1
                self._pieces.insert({"_id": f"{upload}|{pieces - 1}", "data": piece})
        except BaseException:
            with contextlib.suppress(Unavailable):
                self._drop(upload, pieces)
            raise
        stored = Stored(digest.hexdigest(), size, media_type)
        # Should this fail, the record may be there all the same: so its pieces stay.
        try:
            self._files.insert({"_id": stored.digest, "upload": upload, "size": size, "pieces": pieces})
        except Exists:
            # The same content was there before: that copy stays.
            self._drop(upload, pieces)
        return stored

    def read(self, digest: str) -> Iterator[bytes]:
        """The content in pieces of 1 MB; an empty file is one empty piece, so that who hands it on can say what it is.

        Raises NotFound.
        """
        record = self._files.get(digest)
        if record is None:
            raise not_found("文件")
        if not record["pieces"]:
            yield b""
        for index in range(record["pieces"]):
            piece = self._pieces.get(f"{record['upload']}|{index}")
            if piece is None:
                raise not_found("文件")
            yield bytes(piece["data"])

    def copy(self, digest: str, source: Files) -> None:
        """Take over a file that another store has and this one lacks; nothing when neither or both have it."""
        if self._files.get(digest) is None and source._files.get(digest) is not None:
            # It was judged when it came in, maybe by an older table of kinds.
            self.put(source.read(digest), own=True)

    def content(self, digest: str) -> bytes:
        """The whole content; for files that are known to be small."""
        return b"".join(self.read(digest))

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
