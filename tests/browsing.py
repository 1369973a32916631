"""A service's pages as a browser behind the edge sees them, in the test's own process."""

from __future__ import annotations

import re
from typing import Any

from flask import Flask

CSRF = "c" * 20


def said(answer: Any) -> str:
    """What a page says, without the frame around it."""
    main = answer.text.partition('<main id="main"')[2].partition("</main>")[0] or answer.text
    return " ".join(re.sub(r"<[^>]+>", " ", main).split())


class Browser:
    """Calls pages as somebody. tokens: person → access token; what the edge would add is added."""

    def __init__(self, app: Flask, tokens: dict[str, str]) -> None:
        self._web = app.test_client()
        self._tokens = tokens

    def headers(self, person: str, **more: str) -> dict[str, str]:
        return {"Authorization": f"Bearer {self._tokens[person]}", "X-Tongban-Csrf": CSRF, **more}

    def ask(self, path: str, person: str, status: int = 200, **how: str) -> Any:
        """The whole answer; `get` gives its text."""
        answer = self._web.get(path, headers=self.headers(person, **how))
        assert answer.status_code == status, said(answer)
        return answer

    def get(self, path: str, person: str, **how: str) -> str:
        return str(self.ask(path, person, **how).text)

    def post(self, path: str, person: str, data: dict[str, Any], status: int = 303, **how: str) -> Any:
        answer = self._web.post(path, headers=self.headers(person, **how), data={"_csrf": CSRF, **data})
        assert answer.status_code == status, said(answer)
        return answer
