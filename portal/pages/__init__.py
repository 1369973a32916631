"""The portal's pages.

`portal.pages:app()` is the WSGI program, pages and the proxy of legacy systems together.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from functools import cached_property
from pathlib import Path
from typing import Any

from chassis.parts import Parts
from chassis.settings import settings, text
from chassis.web import create_app
from portal.connectors.proxy import PREFIX, Proxy
from portal.pages import apps, granting, home, open_pages, people
from portal.parts import PortalParts

HERE = Path(__file__).parent
PUBLIC = (
    "open_pages.signed_out",
    "open_pages.receipts",
    "open_pages.offline",
    "open_pages.service_worker",
)


class Program:
    """Gives each request to the proxy or to the pages.

    The proxy's connections are made after the fork, on first use.
    """

    def __init__(self, pages: Any) -> None:
        self._pages = pages
        self._lock = threading.Lock()

    @cached_property
    def _proxy(self) -> Proxy:
        given = settings()
        parts = PortalParts(Parts(given))
        verify = parts.chassis.verifier.verify
        return Proxy(
            parts.opening, parts.apps.find, verify, text("APPS_DOMAIN"), given.public_url, parts.refused
        )

    def __call__(self, environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
        if environ.get("PATH_INFO", "").startswith(PREFIX):
            with self._lock:
                proxy = self._proxy
            return proxy(environ, start)
        return self._pages(environ, start)  # type: ignore[no-any-return]


def app() -> Program:
    """The WSGI program."""
    # granting puts its views among those of the administration.
    views = [home.views, apps.views, people.views, granting.views, open_pages.views]
    return Program(create_app("portal", views, HERE / "templates", title="首页", public=PUBLIC))
