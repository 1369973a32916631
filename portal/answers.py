"""One effect and one answer for each request id, where the effect lies outside of our records: in Keycloak or the broker."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import TypeVar

from google.protobuf.message import Message

from chassis import clock
from chassis.aggregate import Request, reused
from chassis.errors import Unavailable
from chassis.store import Store
from chassis.sweeping import sweep

# Longer than any call may take: who began before and has not answered has ended on the way.
PATIENCE = 120.0
# Nobody repeats a call after so long; by then its id counts as new.
KEPT = 7 * 86400.0

M = TypeVar("M", bound=Message)


def once(store: Store, request: Request, kind: type[M], effect: Callable[[], M]) -> M:
    """What `effect` answered to this request the first time; it runs now if it has not run yet. Over all processes.

    An effect that raises has not happened. One whose process ended on the way runs again, so it must bear that. Raises InvalidInput
    when the id came with other content, Unavailable while another call with it is under way.
    """
    answers, mine, now = store.collection("answers"), uuid.uuid4().hex, clock.now().timestamp()
    if answers.claim(request.key, mine, digest=request.digest, begun=now) != mine:
        known = answers.get(request.key)
        if known is not None and known["digest"] != request.digest:
            raise reused()
        if known is not None and "answer" in known:
            return kind.FromString(known["answer"])
        if known is None or known["begun"] > now - PATIENCE:
            raise Unavailable("UNDER_WAY", "该操作正在处理，请稍后再看。", "The same request is under way.")
    try:
        answer = effect()
    except Exception:
        answers.release(request.key, mine)
        raise
    answers.put(
        {
            "_id": request.key,
            "holder": mine,
            "digest": request.digest,
            "begun": now,
            "answer": answer.SerializeToString(),
        }
    )
    return answer


def forget_old(store: Store) -> int:
    """Forget the answers that are older than KEPT; returns how many."""
    before = clock.now().timestamp() - KEPT
    return sweep(store.collection("answers"), lambda record: record["begun"] < before)
