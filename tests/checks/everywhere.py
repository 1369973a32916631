"""One access token at every door: each service's gRPC port, each unit's pages, and the API at the edge."""

from __future__ import annotations

import time

import httpx

from deploy.local import units
from tests.checks.browser import Browser
from tests.checks.platform import Doors, reading
from tests.rules import tree

BOUND = 10.0  # seconds within which an ended login is dead everywhere


class Everywhere:
    """All doors of one platform. `ask` says which of them a token opens."""

    def __init__(self, stack) -> None:
        self.stack = stack
        self.doors = Doors(stack)
        self.edge = Browser(stack.url, stack.ca)
        self.inside = httpx.Client(timeout=20)
        env = stack.env
        self.pages = {
            unit.name: f"http://{env[f'TONGBAN_HTTP_{unit.name.upper()}']}{unit.path}"
            for unit in units.load(tree.ROOT)
            if unit.pages and unit.exists(tree.ROOT)
        }

    def ask(self, token: str) -> dict[str, bool]:
        """door → whether this token opens it. Anything but an answer or a refusal fails."""
        bearer = {"Authorization": f"Bearer {token}"}
        answers = {
            f"{unit} gRPC": self.doors.ask(unit, reading(unit), [("authorization", f"Bearer {token}")]).name
            for unit in self.doors.units
        }
        for unit, address in self.pages.items():
            answers[f"{unit} pages"] = self.inside.get(address, headers=bearer).status_code
        answers["API"] = self.edge.get("/api/v1/portal/apps", headers=bearer).status_code
        # Who is told that a place is not for him has been recognised: as far as the token goes, that door is open.
        known = {
            "OK": True, 200: True, 302: True, "PERMISSION_DENIED": True, 403: True, "UNAUTHENTICATED": False, 401: False,
        }  # fmt: skip
        strange = {door: answer for door, answer in answers.items() if answer not in known}
        assert not strange, strange
        return {door: known[answer] for door, answer in answers.items()}

    def token_of(self, browser: Browser) -> str:
        """The access token behind a browser's session, which never leaves the server otherwise."""
        address = f"http://{self.stack.env['TONGBAN_HTTP_GATEWAY']}/auth/check"
        cookies = "; ".join(f"{one.name}={one.value}" for one in browser.http.cookies.jar)
        answer = self.inside.get(address, headers={"Cookie": cookies})
        assert answer.status_code == 200, answer.text
        return answer.headers["X-Tongban-Token"]

    def until_dead(self, *tokens: str) -> float:
        """Seconds until every door refuses every one of these tokens; fails after the bound."""
        began = time.monotonic()
        while True:
            open_doors = [door for token in tokens for door, opens in self.ask(token).items() if opens]
            if not open_doors:
                return time.monotonic() - began
            assert time.monotonic() - began < BOUND, f"after {BOUND} s still open: {open_doors}"

    def close(self) -> None:
        for one in (self.doors, self.edge, self.inside):
            one.close()
