"""What is known of the call that is being served: who, which request, until when.

One context variable, so that logs, outgoing calls and audit agree without handing it through every function.
"""

from __future__ import annotations

import contextlib
import time
import uuid
from collections.abc import Iterator
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from datetime import datetime

from chassis.errors import NotSignedIn
from chassis.identity_types import Principal

DEFAULT_SECONDS = 10.0


@dataclass(frozen=True)
class Call:
    """One call. `deadline` is in seconds of time.monotonic(); `token` is the caller's access token.

    address: the client's as the edge saw it; marks: what code that serves the call tells the audit (chassis.audit.mark);
    peer: the unit through which the call came, by its certificate; '' when nothing proves it.
    """

    request_id: str = field(default_factory=lambda: uuid.uuid4().hex)
    principal: Principal | None = None
    token: str = ""
    deadline: float = 0.0
    method: str = ""
    traceparent: str = ""
    address: str = ""
    marks: dict[str, str] | None = None
    peer: str = ""
    now: datetime | None = None  # set only while demonstration data is loaded; see chassis.clock

    def left(self, default: float = DEFAULT_SECONDS) -> float:
        """Seconds until the deadline, at least 0; `default` when there is none."""
        return max(0.0, self.deadline - time.monotonic()) if self.deadline else default


_current: ContextVar[Call | None] = ContextVar("tongban_call", default=None)


def current() -> Call:
    """The call being served; an empty one outside of any call."""
    return _current.get() or Call()


def caller() -> Principal:
    """The verified caller of the call being served.

    Raises NotSignedIn; the door has seen to it that there is one (chassis.door).
    """
    principal = current().principal
    if principal is None:
        raise no_caller("No caller.")
    return principal


def no_caller(why: str) -> NotSignedIn:
    """What a service answers to a call that nobody makes."""
    return NotSignedIn("NOT_SIGNED_IN", "请先登录。", why)


@contextlib.contextmanager
def serving(call: Call) -> Iterator[Call]:
    """Make `call` the current one for the time of the with-block."""
    mark = _current.set(call)
    try:
        yield call
    finally:
        _current.reset(mark)


def amend(**changes: object) -> Call:
    """Replace parts of the current call and return it; for servers that learn of the caller step by step."""
    call = replace(current(), **changes)  # type: ignore[arg-type]
    _current.set(call)
    return call
