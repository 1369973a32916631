"""Who calls, and whether the call is theirs: session cookie or bearer token, CSRF, limits."""

from __future__ import annotations

import hmac
from dataclasses import dataclass

from flask import Request, g

from chassis.errors import Forbidden, TooMuch, not_signed_in
from chassis.identity_types import Principal
from chassis.settings import number
from gateway import cookies, edge_headers, limits
from gateway.limits import Limiter
from gateway.parts import GatewayParts
from gateway.sessions import Session

SAFE = frozenset({"GET", "HEAD", "OPTIONS"})


@dataclass(frozen=True)
class Caller:
    """A verified caller; `session` is None for a bearer token, which no other site makes a browser send."""

    principal: Principal
    token: str
    session: Session | None


class Guard:
    """Admits callers."""

    def __init__(self, parts: GatewayParts) -> None:
        self._parts = parts
        person, address = number("RATE_PERSON", 30), number("RATE_ADDRESS", 200)
        self._persons = Limiter(person, number("BURST_PERSON", person * 5))
        # One address may be a whole office behind a translating router.
        self._addresses = Limiter(address, number("BURST_ADDRESS", address * 5))

    def address(self, request: Request) -> None:
        """Count a call against its address.

        Raises TooMuch, whose `fields` hold nothing and whose `wait` the seconds to wait.
        """
        _spend(self._addresses, limits.place(edge_headers.address(request)))

    def caller(self, request: Request) -> Caller:
        """Who calls the API.

        Raises NotSignedIn, Forbidden (CSRF), TooMuch, Unavailable.
        """
        if "Authorization" in request.headers:
            caller = self._bearer(request)
        else:
            caller = self.session(request)
            g.caller = caller.principal
            if request.method not in SAFE:
                self.check_csrf(request, caller.session, request.headers.get("X-CSRF-Token", ""))
        g.caller = caller.principal  # for the record, should the call be refused
        _spend(self._persons, caller.principal.person)
        return caller

    def session(self, request: Request) -> Caller:
        """Who holds the session cookie.

        Raises NotSignedIn, Unavailable.
        """
        found = self._parts.alive(self._parts.sessions.find(request.cookies.get(cookies.SESSION, "")))
        if found is None:
            raise not_signed_in()
        session, principal = found
        return Caller(principal, session.access, session)

    def check_csrf(self, request: Request, session: Session | None, given: str) -> None:
        """Insist that a page of ours sent this request.

        Raises Forbidden.
        """
        origin = request.headers.get("Origin")
        foreign = origin is not None and origin != self._parts.settings.public_url
        foreign = foreign or request.headers.get("Sec-Fetch-Site", "same-origin") not in (
            "same-origin",
            "none",
        )
        same = session is not None and hmac.compare_digest(
            session.csrf.encode(), given.encode("utf-8", "replace")
        )
        if foreign or not same:
            raise Forbidden(
                "CSRF", "页面已过期，请返回上一页刷新后再试。", "The CSRF token or the origin is wrong."
            )

    def _bearer(self, request: Request) -> Caller:
        kind, _, token = request.headers["Authorization"].partition(" ")
        if kind.lower() != "bearer" or not token:
            raise not_signed_in()
        return Caller(self._parts.verifier.verify(token), token, None)


class TooOften(TooMuch):
    """The rate limit; `wait` is the number of seconds after which the next call may come."""

    wait: float = 1.0


def _spend(limiter: Limiter, key: str) -> None:
    wait = limiter.wait(key)
    if wait:
        error = TooOften("TOO_OFTEN", "操作过于频繁，请稍后再试。", "Too many requests; try again later.")
        error.wait = wait
        raise error
