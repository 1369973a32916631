"""Logins under way: what must be remembered between sending a browser to Keycloak and its return.

It lies sealed in a cookie of the browser, so that nobody fills our store by starting logins. Each `state`
works once.
"""

from __future__ import annotations

import base64
import hmac
import secrets
import time
from dataclasses import asdict, dataclass

from gateway.once import Once
from gateway.sealing import Broken, Seal

SECONDS = 1800  # as long as Keycloak keeps its login page alive
COOKIE_BYTES = 3500  # browsers keep cookies of 4,096 bytes; the oldest tab's login gives way


@dataclass(frozen=True)
class Login:
    """One login under way."""

    state: str
    nonce: str
    verifier: str
    target: str
    started: float


class Logins:
    """Reads and writes the cookie of logins under way."""

    def __init__(self, secret: str, once: Once) -> None:
        self._seal = Seal(secret, "login")
        self._once = once

    def start(self, cookie: str, target: str) -> tuple[Login, str]:
        """A new login, and the cookie that remembers it beside those of other tabs."""
        login = Login(
            secrets.token_urlsafe(24),
            secrets.token_urlsafe(24),
            secrets.token_urlsafe(48),
            target,
            time.time(),
        )
        return login, self._write([*self._read(cookie), login])

    def finish(self, cookie: str, state: str) -> tuple[Login | None, str]:
        """The login that `state` belongs to, and the cookie to keep.

        None when this browser began no such login, or when it is used up.
        """
        logins = self._read(cookie)
        found = next((one for one in logins if hmac.compare_digest(one.state.encode(), state.encode())), None)
        rest = self._write([one for one in logins if one is not found])
        if found is None or not self._once.first(f"state|{state}", SECONDS):
            return None, rest
        return found, rest

    def _read(self, cookie: str) -> list[Login]:
        try:
            logins = (
                [Login(**one) for one in self._seal.open(base64.urlsafe_b64decode(cookie), "cookie")]
                if cookie
                else []
            )
        except (Broken, ValueError, TypeError):
            return []
        return [one for one in logins if time.time() - one.started < SECONDS]

    def _write(self, logins: list[Login]) -> str:
        if not logins:
            return ""
        sealed = self._seal.close([asdict(one) for one in logins], "cookie")
        text = base64.urlsafe_b64encode(sealed).decode()
        return text if len(text) <= COOKIE_BYTES else self._write(logins[1:])
