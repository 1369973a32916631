"""What the platform keeps at its broker, by name: its streams, the bucket of ended logins, the subjects of pushes."""

from __future__ import annotations

from typing import Any

from nats.js.api import DiscardPolicy, RetentionPolicy, StorageType, StreamConfig

from chassis.settings import number

STREAM, DEAD = "TONGBAN", "TONGBAN_DEAD"
AUDIT = "TONGBAN_AUDIT"  # made and read by services/audit alone; everybody else may only add to it
ENDED = "ended"  # the bucket of ended logins, see chassis.ended
ENDED_SECONDS = 3600.0  # for which an entry is kept: much longer than an access token lives
# Seconds; longer than the relay needs to get over any outage it retries through without a restart.
_DUPLICATES = 2 * 3600


def push_subject(token: str) -> str:
    """Where pushes for an audience token go: u:fgw:registrar → tongban.push.u.fgw.registrar."""
    return "tongban.push." + token.replace(":", ".")


def stream_configs() -> list[StreamConfig]:
    """The streams of the platform. When full they refuse, so that nothing acknowledged is ever dropped."""
    replicas = int(number("NATS_REPLICAS", 1))
    common: dict[str, Any] = {
        "retention": RetentionPolicy.LIMITS, "discard": DiscardPolicy.NEW, "storage": StorageType.FILE,
        "num_replicas": replicas, "duplicate_window": _DUPLICATES,
    }  # fmt: skip
    days = number("STREAM_DAYS", 30)
    return [
        StreamConfig(
            name=STREAM, subjects=["tongban.*.v1.>"], max_age=days * 86400,
            max_bytes=int(number("STREAM_BYTES", 4 << 30)), allow_atomic=True, **common,
        ),
        StreamConfig(name=DEAD, subjects=["dead.tongban.>"], max_bytes=int(number("DEAD_BYTES", 1 << 28)), **common),
    ]  # fmt: skip
