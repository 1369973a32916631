"""The units' page applications as their own factories make them, and the tables of their routes."""

from __future__ import annotations

import contextlib
import importlib
from collections.abc import Iterator

import pytest
from flask import Blueprint, Flask

from chassis import client
from chassis.errors import NotSignedIn
from chassis.identity_types import SYSTEM_ROLES, Principal
from chassis.web import create_app
from chassis.web.gallery import GalleryDirectory
from tests.rules import tree

# What is shown without a login, for a reason each. Whoever adds one adds it here.
PUBLIC = {
    "open_pages.signed_out": "the page after signing out",
    "open_pages.receipts": "its list of ended sessions, by a secret of the browser",
    "open_pages.offline": "shown by the service worker when there is no network",
    "open_pages.service_worker": "a script without data",
}
UNITS = [
    "portal",
    *(
        name
        for name in tree.services()
        if (tree.ROOT / "services" / name / "pages" / "__init__.py").is_file()
    ),
]


class Verifier:
    """Knows one token, of somebody who may do everything."""

    def verify(self, token):
        if token != "good":
            raise NotSignedIn("NOT_SIGNED_IN", "登录已失效，请重新登录。")
        posts = ("fgw:registrar", "fgw:leader", "fgw:head")
        return Principal(person="p1", name="张三", posts=posts, roles=SYSTEM_ROLES, clearance=3, session="s")


@contextlib.contextmanager
def application(unit: str) -> Iterator[Flask]:
    """The unit's Flask application, with our verifier; its calls reach nobody."""
    module = importlib.import_module("portal.pages" if unit == "portal" else f"services.{unit}.pages")
    with pytest.MonkeyPatch.context() as patch:
        fixed = {"verifier": Verifier(), "directory": GalleryDirectory()}
        patch.setattr(module, "create_app", lambda *args, **given: create_app(*args, **{**given, **fixed}))
        patch.setattr(client, "ATTEMPTS", 1)
        for one in tree.rpcs():
            patch.setenv(f"TONGBAN_GRPC_{one.upper()}", "127.0.0.1:9")
        # Channels are kept by address, and these addresses are none.
        patch.setattr(client, "_channels", {})
        made = module.app()
        yield getattr(made, "_pages", made)


def table(app: Flask) -> Iterator[tuple[str, str, set[str]]]:
    """(endpoint, path, methods) of every route, with stand-ins for what is variable."""
    adapter = app.url_map.bind("localhost")
    for rule in app.url_map.iter_rules():
        values = {name: stand_in(kind) for name, kind in rule._converters.items()}
        yield (
            rule.endpoint,
            adapter.build(rule.endpoint, values, method=min(rule.methods)),
            rule.methods,
        )


def stand_in(converter: object) -> object:
    """A value that this part of a path takes."""
    fixed = {"IntegerConverter": 1, "FloatConverter": 1.0, "UUIDConverter": "0" * 32}
    return min(converter.items) if hasattr(converter, "items") else fixed.get(type(converter).__name__, "x1")


def is_public(app: Flask, endpoint: str) -> bool:
    """Whether a route is served without a login."""
    return endpoint in PUBLIC or endpoint == "healthz" or is_static(app, endpoint)


def is_static(app: Flask, endpoint: str) -> bool:
    """Whether it is Flask's own view of static files: that its name ends so is not enough."""
    return endpoint == "static" or isinstance(
        getattr(app.view_functions[endpoint], "__self__", None), Blueprint
    )
