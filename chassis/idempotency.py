"""What makes a request that changes something safe to repeat: its id, bound to its caller, and the digest of its content."""

from __future__ import annotations

import hashlib

from google.protobuf.message import Message

from chassis import context
from chassis.aggregate import Request
from chassis.errors import invalid


def request_of(message: Message) -> Request:
    """The idempotency key, content digest and etag of a mutating request.

    Raises InvalidInput when request_id is missing or too long.
    """
    given = message.request_id  # type: ignore[attr-defined]
    if not 8 <= len(given) <= 64 or not given.isprintable():
        raise invalid(request_id="缺少请求编号（8–64 个字符）。")
    call = context.current()
    who = call.principal.person if call.principal else ""
    bare = type(message)()
    bare.CopyFrom(message)
    bare.ClearField("request_id")
    etag = ""
    if "etag" in message.DESCRIPTOR.fields_by_name:
        etag = message.etag  # type: ignore[attr-defined]
        bare.ClearField("etag")
    digest = hashlib.sha256(bare.SerializeToString(deterministic=True)).hexdigest()[:32]
    return Request(request_key(who, call.method, given), digest, etag)


def request_key(caller: str, method: str, request_id: str) -> str:
    """The idempotency key of a request: the same id from another person or for another method is another request."""
    return hashlib.sha256(f"{caller}\n{method}\n{request_id}".encode()).hexdigest()[:32]
