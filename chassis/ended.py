"""Logins that have ended while tokens of theirs are still valid: the durable bucket `ended`, which every process watches.

Keycloak cannot take an access token back, so every process refuses by itself. An entry stays for an hour, a token lives for
seventeen minutes and is renewed after five. A process that has not read the bucket since it began does not know who left before: it
refuses, as a passing trouble, tokens that are as old as itself, and takes younger ones, whose login was alive after all that it could
have missed. So with the broker away a process that was restarted is whole again as soon as tokens have been renewed, five minutes at
the most, and never lets in who has left.
"""

from __future__ import annotations

import hashlib
import threading
import time
from collections import OrderedDict
from typing import Any

from chassis.errors import Unavailable
from chassis.identity_types import Principal
from chassis.streams import ENDED, ENDED_SECONDS

SKEW = 30.0  # seconds by which Keycloak's clock may be ahead of ours
YOUNG = 3.0  # seconds of age up to which a copy that has not heard yet is waited for: the broker is likely to be there


def login_entry(login: str) -> tuple[str, bytes]:
    """Key and value of the bucket for a Keycloak session id."""
    return _key("login", login), login.encode()


def person_entry(person: str) -> tuple[str, bytes]:
    """Key and value for a person who is gone for good."""
    return _key("person", person), person.encode()


def login_of(key: str, value: bytes | None) -> str:
    """The Keycloak session id that an entry speaks of, '' when of none."""
    return value.decode("utf-8", "replace") if value and key.startswith("login.") else ""


def _key(kind: str, name: str) -> str:
    # Whatever characters Keycloak may put into an id, a key of a bucket holds few.
    return f"{kind}.{hashlib.sha256(name.encode()).hexdigest()[:40]}"


class Ended:
    """This process's copy of the bucket. Safe for many threads."""

    def __init__(self, bus: Any = None) -> None:
        self._keys: OrderedDict[str, float] = OrderedDict()
        self._lock = threading.Lock()
        self._began = time.time()
        self.ready = threading.Event()
        if bus is None:
            self.ready.set()
        else:
            bus.watch(ENDED, self.on_entry, self.ready.set)

    def on_entry(self, key: str, value: bytes | None) -> None:
        """One entry of the bucket, in the bus thread."""
        if value is not None:
            self._add(key)

    def end_login(self, login: str) -> None:
        """Refuse this login here, from now on."""
        self._add(login_entry(login)[0])

    def holds(self, principal: Principal) -> bool:
        """Whether this token's login has ended."""
        keys = self._keys
        return bool(keys) and (
            (bool(principal.session) and _key("login", principal.session) in keys)
            or _key("person", principal.person) in keys
        )

    def insist_on_knowing(self, principal: Principal) -> None:
        """Raises Unavailable when this token's login may have ended before this process could hear of it."""
        if principal.session and time.time() - self._began < YOUNG:
            self.ready.wait(YOUNG)
        if self.ready.is_set() or not principal.session or principal.issued > self._began + SKEW:
            return
        raise Unavailable(
            "LOGIN_UNCERTAIN",
            "暂时无法核对登录状态，请几分钟后再试。",
            "Ended logins are not known yet; try again in a few minutes.",
        )

    def _add(self, key: str) -> None:
        now = time.monotonic()
        with self._lock:
            self._keys[key] = now
            self._keys.move_to_end(key)
            while now - next(iter(self._keys.values())) > ENDED_SECONDS:
                self._keys.popitem(last=False)
