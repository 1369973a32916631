"""Who may do what at the broker.

Every process of the platform may add to the audit's stream. None but services/audit may read it, and nobody with the platform's user
can take a record out, put the stream back to an earlier state, or write the checkpoints that stand witness for the chain.
"""

from __future__ import annotations

from typing import Any

PLATFORM, AUDIT = "tongban", "audit"
STREAM, WITNESS = "TONGBAN_AUDIT", "KV_audit_checkpoints"
SUBJECTS, PAIRS = "audit.v1.>", "$KV.audit_checkpoints.>"
_CHANGES = (
    "STREAM.CREATE.{0}", "STREAM.UPDATE.{0}", "STREAM.DELETE.{0}", "STREAM.PURGE.{0}", "STREAM.RESTORE.{0}",
    "STREAM.MSG.DELETE.{0}", "STREAM.PEER.REMOVE.{0}", "STREAM.LEADER.STEPDOWN.{0}",
)  # fmt: skip
_READING = (
    "STREAM.SNAPSHOT.{0}", "STREAM.MSG.GET.{0}", "DIRECT.GET.{0}", "DIRECT.GET.{0}.>", "CONSUMER.CREATE.{0}", "CONSUMER.CREATE.{0}.>",
    "CONSUMER.DURABLE.CREATE.{0}.>", "CONSUMER.MSG.NEXT.{0}.>", "CONSUMER.DELETE.{0}.>", "CONSUMER.INFO.{0}.>", "CONSUMER.PAUSE.{0}.>",
)  # fmt: skip


def denied() -> dict[str, list[str]]:
    """What the platform's user may not publish, and not subscribe to."""
    changes = [f"$JS.API.{one}".format(stream) for stream in (STREAM, WITNESS) for one in _CHANGES]
    reading = [f"$JS.API.{one}".format(STREAM) for one in _READING]
    return {"publish": [*changes, *reading, PAIRS], "subscribe": [SUBJECTS]}


def authorization(platform: str, audit: str) -> dict[str, Any]:
    """The server's section of this name, with these two passwords."""
    permissions = {kind: {"deny": subjects} for kind, subjects in denied().items()}
    return {
        "users": [
            {"user": PLATFORM, "password": platform, "permissions": permissions},
            {"user": AUDIT, "password": audit},
        ]
    }
