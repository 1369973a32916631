"""The factory of every service's pages.

`create_app` gives a Flask application in which the caller is verified, unsafe requests carry the CSRF token
of the edge, errors have a page, and the component kit is at hand. A service adds views and templates only.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from flask import Blueprint, Flask, g
from jinja2 import ChoiceLoader, FileSystemLoader

from chassis import clock, log, metrics, telemetry, units
from chassis.errors import forbidden
from chassis.identity_types import SYSTEM_ROLES, Principal
from chassis.web import answers, assets, filters, forms, guard, language, measures, names, problems
from chassis.web.outside import Outside, VerifierLike

HERE = Path(__file__).parent
MEGABYTE = 2**20


def create_app(
    service: str,
    views: Blueprint | Iterable[Blueprint],
    templates: str | Path,
    *,
    title: str,
    public: Iterable[str] = (),
    max_body: int = 64 * MEGABYTE,
    ready: Callable[[], bool] | None = None,
    verifier: VerifierLike | None = None,
    directory: names.Directory | None = None,
) -> Flask:
    """The Flask application of one service's pages.

    service: the unit's name, also its URL prefix ("portal" has none); title: its name in the navigation;
    public: endpoints that are served without a login, besides /healthz and static files; max_body: bytes;
    ready: what /healthz reports, by default whether the names of people and units are known. verifier and
    directory are given in tests only; else made on first use, so that nothing connects before a fork.
    """
    if verifier is None:
        # A process of its own, not a test: gunicorn imports this in each worker, so after the fork.
        log.configure(service, "pages")
        telemetry.start(service, "pages")
    app = Flask(service, static_folder=str(HERE / "static"), static_url_path="/static", template_folder=None)
    app.config.update(
        MAX_CONTENT_LENGTH=max_body,
        MAX_FORM_MEMORY_SIZE=4 * MEGABYTE,  # text fields: an official document's body, not a file
        MAX_FORM_PARTS=5000,  # a list of several thousand chosen people is real
        SEND_FILE_MAX_AGE_DEFAULT=3600,
    )
    app.jinja_options = {"trim_blocks": True, "lstrip_blocks": True}
    app.jinja_loader = ChoiceLoader([FileSystemLoader(templates), FileSystemLoader(HERE / "templates")])

    outside = Outside(verifier, directory)
    names.install(app, outside.directory)
    language.install(app, Path(templates))
    filters.install(app)
    forms.install(app)
    answers.install(app)
    assets.install(app)
    problems.install(app, outside.audit)
    measures.install(app)
    guard.install(app, service, frozenset(public) | {"healthz", "static"}, outside.verify)

    _keep_out(app, service)
    app.jinja_env.globals["navigation"] = _navigation
    app.jinja_env.globals["now"] = clock.now
    app.jinja_env.globals["system_roles"] = SYSTEM_ROLES

    @app.context_processor
    def _about() -> dict[str, Any]:
        return {"service": service, "service_title": title, "principal": g.get("principal")}

    @app.get("/healthz")
    def healthz() -> tuple[str, int]:
        return ("ok\n", 200) if (ready or outside.ready)() else ("not ready\n", 503)

    if verifier is None:
        metrics.ready(ready or outside.ready)
        metrics.serve()

    for blueprint in [views] if isinstance(views, Blueprint) else views:
        app.register_blueprint(blueprint, url_prefix=_prefix(service, blueprint))
    log.get(__name__).info("pages ready", service=service, routes=len(list(app.url_map.iter_rules())))
    return app


def _prefix(service: str, blueprint: Blueprint) -> str:
    # A blueprint that states a prefix of its own keeps it below the service's.
    own = blueprint.url_prefix or ""
    return own if service == "portal" else f"/{service}{own}"


def _keep_out(app: Flask, service: str) -> None:
    """A place is shown to those only whom the deployment names for it; its data the service guards by itself."""

    @app.before_request
    def _only_its_people() -> None:
        reader = g.get("principal")
        here = next((unit for unit in units.every() if unit.name == service and unit.place), None)
        if reader is not None and here is not None and not here.open_to(reader):
            raise forbidden("您的账号不办理此项业务。")


def _navigation(principal: Principal) -> list[tuple[str, str, str, str]]:
    """The places of the platform for this person, in the deployment's order: key, label, href, icon.

    Whoever holds no post, as the three administrators, has nothing to do in the services.
    """
    first = ("home", "待办" if principal.posts else "首页", "/", "home")
    english = language.english()
    return [first] + [
        (unit.name, unit.name.capitalize() if english else unit.title, unit.path, unit.icon)
        for unit in units.places(principal)
    ]
