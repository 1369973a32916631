"""Acting as the demonstration's people through the real APIs, at a stated time.

Tokens come by password from the client `tongban-demo`, which exists only where TONGBAN_DEMO=1; the stated time is signed with the
secret `demo-key` (chassis.clock).
"""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Callable
from datetime import datetime
from typing import Any

import grpc
import httpx

from chassis import client, clock
from chassis.errors import TongbanError, Unavailable, from_rpc_error
from chassis.settings import Settings

RENEW = 200.0  # seconds; tokens live 300


class People:
    """Calls on behalf of anybody in the demonstration."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._password = settings.secret("demo-password")
        self._client = ("tongban-demo", settings.secret("tongban-demo"))
        self._key = settings.secret("demo-key")
        self._tokens: dict[str, tuple[float, str]] = {}
        self._lock = threading.Lock()
        self.calls = 0

    def token(self, username: str) -> str:
        """A fresh access token of this person.

        Raises Unavailable when Keycloak refuses.
        """
        until, token = self._tokens.get(username, (0.0, ""))
        if time.monotonic() < until:
            return token
        reply = httpx.post(
            f"{self._settings.realm_url}/protocol/openid-connect/token",
            data={
                "grant_type": "password",
                "username": username,
                "password": self._password,
                "scope": "openid",
            },
            auth=self._client,
            timeout=20,
        )
        if reply.status_code != 200:
            raise Unavailable(
                "NO_TOKEN", f"{username} 无法登录演示系统。", f"No token for {username}: {reply.text[:200]}"
            )
        token = str(reply.json()["access_token"])
        with self._lock:
            self._tokens[username] = (time.monotonic() + RENEW, token)
        return token

    def call(
        self, method: Callable[..., Any], request: Any, username: str, at: datetime | None = None
    ) -> Any:
        """One call as `username`; a missing request_id is filled in. Retries while a service is still starting."""
        if "request_id" in request.DESCRIPTOR.fields_by_name and not request.request_id:
            request.request_id = uuid.uuid4().hex
        metadata = [("authorization", f"Bearer {self.token(username)}")]
        if at is not None:
            metadata.append((clock.HEADER, clock.sign(at, self._key)))
        self.calls += 1
        for attempt in range(5):
            try:
                return method(request, timeout=30, metadata=metadata)
            except grpc.RpcError as problem:
                if problem.code() is not grpc.StatusCode.UNAVAILABLE or attempt == 4:
                    raise from_rpc_error(problem) from problem
                time.sleep(0.5)
        raise AssertionError("the loop returns or raises")

    def until(self, seconds: float, attempt: Callable[[], Any]) -> Any:
        """The answer of `attempt` once it no longer raises: for what arrives by event."""
        end = time.monotonic() + seconds
        while True:
            try:
                return attempt()
            except TongbanError:
                if time.monotonic() > end:
                    raise
                time.sleep(0.03)


def stub(unit: str, kind: Callable[[grpc.Channel], Any]) -> Any:
    """A generated stub on this process's channel to a unit."""
    return kind(client.channel(unit))
