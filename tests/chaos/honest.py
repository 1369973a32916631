"""An honest client of the platform: waits its turn, repeats what was not acknowledged under the same request id, notes everything.

What it notes is what a check asks afterwards: every attempt with its time and end, and every write that was acknowledged.
"""

from __future__ import annotations

import itertools
import json
import ssl
import threading
import time
import uuid
from dataclasses import dataclass, field
from typing import Any

import httpx

SECONDS = 12.0  # that one attempt may take
PATIENCE = 90.0  # for which a write is repeated
PAUSE = 0.1
LATER = frozenset({429, 502, 503, 504})  # come back, says the platform


@dataclass(frozen=True)
class Attempt:
    """One request: of which function of the platform, from when to when, how it ended ("" is well)."""

    function: str
    began: float
    ended: float
    trouble: str

    @property
    def good(self) -> bool:
        """Whether it did what it should."""
        return not self.trouble


@dataclass(frozen=True)
class Written:
    """One acknowledged write: what it was, of which record, under which request id."""

    kind: str
    record: str
    request_id: str
    answer: dict[str, Any]


@dataclass
class Notes:
    """Everything that the clients of one load saw. Safe for many threads."""

    attempts: list[Attempt] = field(default_factory=list)
    written: list[Written] = field(default_factory=list)
    arrivals: list[tuple[float, float]] = field(
        default_factory=list
    )  # (when, seconds that an event was under way)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def attempt(self, function: str, began: float, trouble: str) -> None:
        with self._lock:
            self.attempts.append(Attempt(function, began, time.monotonic(), trouble))

    def acknowledged(self, one: Written) -> None:
        with self._lock:
            self.written.append(one)

    def arrived(self, began: float) -> None:
        with self._lock:
            self.arrivals.append((began, time.monotonic() - began))

    def since(self, began: float, until: float = float("inf")) -> list[Attempt]:
        """The attempts that began in this time."""
        with self._lock:
            return [one for one in self.attempts if began <= one.began < until]

    def of(self, kind: str) -> list[Written]:
        """The acknowledged writes of one kind."""
        with self._lock:
            return [one for one in self.written if one.kind == kind]


class Refused(AssertionError):
    """The platform said no where an honest client had to be served."""


class NotInTime(AssertionError):
    """Something did not come about within the patience of a client."""


class Client:
    """Calls the API through the edge on behalf of anybody; `people` knows their tokens."""

    def __init__(self, stack: Any, people: Any, notes: Notes, stop: threading.Event) -> None:
        self._people = people
        self.notes = notes
        self._stop = stop
        self._http = httpx.Client(
            base_url=stack.url, verify=ssl.create_default_context(cafile=str(stack.ca)), timeout=SECONDS,
            headers={"Accept": "application/json"},
        )  # fmt: skip

    def read(self, function: str, user: str, path: str, **query: Any) -> dict[str, Any] | None:
        """One GET; None when it failed, which is noted. 404 is an answer: {}."""
        answer, trouble = self._send("GET", path, user, params=query)
        if answer is not None and answer.status_code == 404:
            trouble = ""
        began = self._began
        self.notes.attempt(function, began, trouble)
        if trouble or answer is None:
            return None
        return answer.json() if answer.status_code == 200 else {}

    def write(
        self, function: str, kind: str, user: str, path: str, body: dict[str, Any], may_be: str = ""
    ) -> dict[str, Any]:
        """One write, sent again under the same request id until it is acknowledged.

        {} when it is refused for the reason `may_be` the first time it is sent: later that would be an effect which was not
        acknowledged. Raises Refused, NotInTime.
        """
        key, end = uuid.uuid4().hex, time.monotonic() + PATIENCE
        for number in itertools.count():
            if time.monotonic() > end:
                break
            answer, trouble = self._send("POST", path, user, json=body, headers={"Idempotency-Key": key})
            again = bool(trouble) or (answer is not None and _in_flight(answer))
            self.notes.attempt(function, self._began, trouble)
            if not again and answer is not None:
                said = answer.json()
                if answer.status_code != 200:
                    if may_be and said["reason"] == may_be and number == 0:
                        return {}
                    raise Refused(f"{kind} {path}: {answer.status_code} {said}")
                record = next(
                    (said[name] for name in ("delivery", "document", "task", "meeting") if said.get(name)), ""
                )
                self.notes.acknowledged(Written(kind, record, key, said))
                return dict(said)
            time.sleep(PAUSE)
        raise NotInTime(f"{kind} {path} was not acknowledged within {PATIENCE} s: {trouble}")

    def until(self, what: str, check: Any, seconds: float = PATIENCE) -> Any:
        """The first truthy answer of `check`, which is asked again and again. Raises NotInTime."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            found = check()
            if found:
                return found
            time.sleep(PAUSE)
        raise NotInTime(f"{what}: not within {seconds} s")

    def _send(self, method: str, path: str, user: str, **more: Any) -> tuple[httpx.Response | None, str]:
        headers = {"Authorization": f"Bearer {self._people.token(user)}", **more.pop("headers", {})}
        self._began = time.monotonic()
        try:
            answer = self._http.request(method, path, headers=headers, **more)
        except httpx.HTTPError as problem:
            return None, f"{type(problem).__name__} {path}"
        if answer.status_code in LATER or answer.status_code >= 500:
            return answer, f"{answer.status_code} {_reason(answer)} {path}"
        return answer, ""

    def close(self) -> None:
        self._http.close()


def _reason(answer: httpx.Response) -> str:
    try:
        return str(answer.json().get("reason", ""))
    except (json.JSONDecodeError, AttributeError):
        return ""


def _in_flight(answer: httpx.Response) -> bool:
    return answer.status_code == 409 and _reason(answer) == "REQUEST_IN_FLIGHT"
