"""The only clock. Everything that records a time asks here.

While demonstration data is loaded, the loader may state the time of a call, so that a new system shows weeks of life. Such a
statement is honoured only where the secret `demo-key` exists and signed it; a productive system has no such secret.
"""

from __future__ import annotations

import hashlib
import hmac
from datetime import UTC, datetime

from chassis import context

HEADER = "x-tongban-demo-time"


def now() -> datetime:
    """The present moment, UTC, to the millisecond (what MongoDB keeps)."""
    stated = context.current().now
    moment = stated or datetime.now(UTC)
    return moment.replace(microsecond=moment.microsecond // 1000 * 1000)


def sign(moment: datetime, key: str) -> str:
    """The header's value by which the holder of `key` states the time of a call."""
    text = moment.astimezone(UTC).isoformat()
    return f"{text};{_mac(text, key)}"


def stated(header: str, key: str) -> datetime | None:
    """The time stated by `header`, or None when the key is absent or the signature is wrong."""
    text, _, mac = header.partition(";")
    if not key or not hmac.compare_digest(mac.encode(), _mac(text, key).encode()):
        return None
    return datetime.fromisoformat(text)


def _mac(text: str, key: str) -> str:
    return hmac.new(key.encode(), text.encode(), hashlib.sha256).hexdigest()
