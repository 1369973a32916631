"""What the pages hear from the platform: verified tokens and the directory, by one connection to the broker.

Made on first use, because a process may fork before it serves, and because a test needs neither.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Protocol

from chassis.identity_types import Principal

if TYPE_CHECKING:
    from chassis.audit import Audit
    from chassis.parts import Parts
    from chassis.web.names import Directory

FILL_SECONDS = 3.0  # how long the first page waits for names; later ones never wait


class VerifierLike(Protocol):
    """What verifies a token: chassis.identity.Verifier, or a test's own."""

    def verify(self, token: str) -> Principal:
        """Who presents `token`; raises NotSignedIn."""


class Outside:
    """The verifier and the directory of this process; either may be given, e.g. by a test."""

    def __init__(self, verifier: VerifierLike | None = None, directory: Directory | None = None) -> None:
        self._verifier = verifier
        self._directory = directory
        self._parts: Parts | None = None
        self._lock = threading.Lock()

    def verify(self, token: str) -> Principal:
        """Who presents `token`; raises NotSignedIn, or Unavailable when that cannot be found out."""
        if self._verifier is None:
            self._make()
        assert self._verifier is not None  # noqa: S101 -- _make has set it
        return self._verifier.verify(token)

    def directory(self) -> Directory:
        """Names of people and units."""
        if self._directory is None:
            self._make()
        assert self._directory is not None  # noqa: S101 -- _make has set it
        return self._directory

    def audit(self) -> Audit | None:
        """What is refused by the pages themselves, on record; None in a test that gave verifier and directory."""
        return self._parts.audit if self._parts is not None else None

    def ready(self) -> bool:
        """Whether names are known; asking begins to fetch them."""
        filled = getattr(self.directory(), "ready", None)
        return filled is None or filled.is_set()

    def _make(self) -> None:
        from chassis.parts import Parts  # noqa: PLC0415 -- the engines' clients, which no test of a page needs
        from chassis.settings import settings  # noqa: PLC0415

        with self._lock:
            if self._parts is None:
                self._parts = Parts(settings())
                filled = self._parts.directory.ready
                if self._verifier is None:
                    self._verifier = self._parts.verifier
                self._directory = self._directory or self._parts.directory
                filled.wait(FILL_SECONDS)
