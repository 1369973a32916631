"""What an archive holds: entries, each of one section, and at the end a manifest that counts them.

The stream inside of the seal is compressed BSON: `{s: section, d: content}`. The first entry's section is "begin", the last one's
"manifest"; both carry facts. The manifest says of each section how many entries it has, their bytes, and their Merkle root.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

import bson
from bson.binary import Binary
from bson.codec_options import CodecOptions

from deploy.backup.merkle import Tally
from deploy.backup.sealed import Damaged, Sealer, opened

BEGIN, MANIFEST = "begin", "manifest"
FORMAT = 1
# Most of the bytes are files which are compressed already; more effort would only cost time.
_EFFORT = 1
Facts = dict[str, Any]


class Writer:
    """Writes one archive; `finish` completes it."""

    def __init__(self, out: BinaryIO, secret: bytes, facts: Facts) -> None:
        self._sealer = Sealer(out, secret)
        self._press = zlib.compressobj(_EFFORT)
        self._tallies: dict[str, Tally] = {}
        self._put(BEGIN, bson.encode({"format": FORMAT, **facts}))

    def section(self, name: str) -> Tally:
        """The tally of a section, which is in the manifest even if nothing is added to it."""
        return self._tallies.setdefault(name, Tally())

    def add(self, section: str, content: bytes) -> None:
        """Add one entry to a section."""
        self.section(section).add(content)
        self._put(section, content)

    def finish(self, facts: Facts) -> Facts:
        """Write the manifest and the end; returns the manifest as a reader will find it."""
        manifest = {**facts, "sections": facts_of(self._tallies)}
        encoded = bson.encode(manifest)
        self._put(MANIFEST, encoded)
        self._sealer.write(self._press.flush())
        self._sealer.close()
        return _decoded(encoded)

    def _put(self, section: str, content: bytes) -> None:
        self._sealer.write(self._press.compress(bson.encode({"s": section, "d": Binary(content)})))


class Reader:
    """Reads one archive, as often as wanted. `begin` and `manifest` are known once they have passed."""

    def __init__(self, path: Path, secret: bytes) -> None:
        self._path, self._secret = path, secret
        self.begin: Facts = {}
        self.manifest: Facts = {}

    def entries(self) -> Iterator[tuple[str, bytes]]:
        """Every entry as (section, content), without begin and manifest.

        Raises Damaged, at the latest at the end, when anything is not as it was written.
        """
        tallies: dict[str, Tally] = {}
        self.begin, self.manifest = {}, {}
        with self._path.open("rb") as source:
            for section, content in self._parsed(source):
                if not self.begin:
                    self._take_begin(section, content)
                elif self.manifest:
                    raise Damaged("The archive is damaged: something follows its manifest.")
                elif section == MANIFEST:
                    self.manifest = _decoded(content)
                else:
                    tallies.setdefault(section, Tally()).add(content)
                    yield section, content
        # A section without entries stands in the manifest only.
        wanted = self.manifest.get("sections", {})
        found = facts_of({**{name: Tally() for name in wanted}, **tallies})
        if not self.manifest or found != wanted:
            raise Damaged("The archive's content does not agree with its manifest.")

    def verify(self) -> Facts:
        """Read all of it, keep nothing; returns the manifest.

        Raises Damaged.
        """
        for _ in self.entries():
            pass
        return self.manifest

    def _take_begin(self, section: str, content: bytes) -> None:
        self.begin = _decoded(content)
        if section != BEGIN or self.begin.get("format") != FORMAT:
            raise Damaged("The archive is of a format which this version does not know.")

    def _parsed(self, source: BinaryIO) -> Iterator[tuple[str, bytes]]:
        press, waiting = zlib.decompressobj(), bytearray()
        for chunk in opened(source, self._secret):
            waiting += press.decompress(chunk)
            at = 0
            while len(waiting) - at >= 4:
                length = int.from_bytes(waiting[at : at + 4], "little")
                if len(waiting) - at < length:
                    break
                entry = bson.decode(bytes(waiting[at : at + length]))
                yield entry["s"], bytes(entry["d"])
                at += length
            del waiting[:at]
        if waiting or not press.eof or press.unused_data:
            raise Damaged("The archive ends in the middle of an entry.")


def facts_of(tallies: dict[str, Tally]) -> Facts:
    """What a manifest says of these sections."""
    return {name: tally.facts() for name, tally in sorted(tallies.items())}


def _decoded(content: bytes) -> Facts:
    return bson.decode(content, CodecOptions(tz_aware=True))
