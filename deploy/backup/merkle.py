"""The Merkle root of a sequence, built while the sequence passes by (the tree of RFC 6962)."""

from __future__ import annotations

from dataclasses import dataclass, field
from hashlib import sha256


def _node(left: bytes, right: bytes) -> bytes:
    return sha256(b"\x01" + left + right).digest()


@dataclass
class Tally:
    """How much of one section has passed: how many entries, their bytes, and the root over their content in order."""

    count: int = 0
    size: int = 0
    # The roots of the full subtrees so far, the widest first: one for each bit that is set in `count`.
    _roots: list[bytes] = field(default_factory=list)

    def add(self, content: bytes) -> None:
        """Take the next entry in."""
        root, behind = sha256(b"\x00" + content).digest(), self.count
        while behind & 1:
            root = _node(self._roots.pop(), root)
            behind >>= 1
        self._roots.append(root)
        self.count += 1
        self.size += len(content)

    @property
    def root(self) -> str:
        """The root over all entries so far, in hexadecimal."""
        if not self._roots:
            return sha256(b"").hexdigest()
        root = self._roots[-1]
        for left in reversed(self._roots[:-1]):
            root = _node(left, root)
        return root.hex()

    def facts(self) -> dict[str, int | str]:
        """What the manifest says of a section."""
        return {"count": self.count, "bytes": self.size, "root": self.root}
