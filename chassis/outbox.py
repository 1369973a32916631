"""An event in the outbox of its aggregate: what it is called, and what goes out with it."""

from __future__ import annotations

import re
import uuid

from google.protobuf.message import Message

from chassis import clock, context, telemetry
from chassis.store import Record


def subject(service: str, kind: str) -> str:
    """The subject of an event type: ObligationOpened → tongban.<service>.v1.obligation.opened."""
    first, *rest = re.findall(r"[A-Z][a-z0-9]*", kind)
    if not rest:
        raise ValueError(f"an event is named by what it happened to and what happened, not {kind}")
    return f"tongban.{service}.v1.{first.lower()}.{'_'.join(word.lower() for word in rest)}"


def event_type(subject: str) -> str:
    """What happened, without by whom it is told: tongban.tasks.v1.obligation.opened → obligation.opened."""
    return subject.rpartition(".v1.")[2]


def envelope(service: str, message: Message) -> Record:
    """An event as it stands in the outbox: CloudEvents attributes, actor and trace context, protobuf body."""
    call = context.current()
    kind = message.DESCRIPTOR.name
    headers = {
        "ce-source": f"/tongban/{service}",
        "ce-type": message.DESCRIPTOR.full_name,
        "ce-time": clock.now().isoformat(),
        "tongban-actor": call.principal.person if call.principal else "",
        "tongban-request": call.request_id,
        # What a timer or a command of the command line tells begins a trace of its own.
        "traceparent": call.traceparent or telemetry.fresh(),
    }
    return {
        "id": uuid.uuid4().hex,
        "subject": subject(service, kind),
        "headers": headers,
        "data": message.SerializeToString(deterministic=True),
    }
