"""The old system's own accounts, in SQLite.

An account is locked after three wrong passwords in a row, as such systems do.
"""

from __future__ import annotations

import hashlib
import sqlite3
import threading

FIRST = [(f"oa{number:03}", f"经办员{number:03}") for number in range(1, 21)]
FIRST_PASSWORD = "oldsite123"  # noqa: S105 - the sample's well-known password
LOCK_AFTER = 3


class Accounts:
    """Users of the old system. Safe for use by many threads."""

    def __init__(self, path: str) -> None:
        self._lock = threading.Lock()
        self._db = sqlite3.connect(path, check_same_thread=False)
        self._db.execute(
            "create table if not exists users (name text primary key, label text, digest text, wrong int)"
        )
        digest = _digest(FIRST_PASSWORD)
        rows = [(name, label, digest, 0) for name, label in FIRST]
        self._db.executemany("insert or ignore into users values (?, ?, ?, ?)", rows)
        self._db.commit()

    def check(self, name: str, password: str) -> str:
        """The user's label when the password is right; '' when not, or when the account is locked."""
        with self._lock:
            row = self._db.execute(
                "select label, digest, wrong from users where name = ?", (name,)
            ).fetchone()
            if row is None or row[2] >= LOCK_AFTER:
                return ""
            right = row[1] == _digest(password)
            self._db.execute("update users set wrong = ? where name = ?", (0 if right else row[2] + 1, name))
            self._db.commit()
            return row[0] if right else ""

    def wrong(self, name: str) -> int:
        """Wrong passwords in a row; what the sample's tests look at."""
        with self._lock:
            row = self._db.execute("select wrong from users where name = ?", (name,)).fetchone()
        return row[0] if row else 0


def _digest(password: str) -> str:
    return hashlib.md5(password.encode("gbk", "replace"), usedforsecurity=False).hexdigest()
