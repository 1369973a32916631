"""Administration: the catalogue's records, the dead letters, people's rights and the matrix of all rights.

Which page is for whom stands in portal.pages.rights.
"""

from __future__ import annotations

from flask import Blueprint, g, render_template, request
from tongban.portal.v1 import administration_pb2, directory_pb2
from tongban.portal.v1 import apps_pb2 as pb
from werkzeug.wrappers import Response

from chassis.errors import TongbanError, forbidden
from chassis.web import form_errors, form_request_id, go, htmx
from portal.pages import calls
from portal.pages.rights import PAGES, Page, work_of
from portal.system.runbooks import RUNBOOKS

views = Blueprint("administration", __name__, url_prefix="/administration")
_FORM = (
    "login_path",
    "username_field",
    "password_field",
    "body",
    "digest",
    "success",
    "success_value",
    "logout_path",
)


@views.before_request
def admit() -> None:
    """Each page is for those whom the table names; one that is missing from it is for nobody. The services refuse by themselves, too."""
    name = str(request.endpoint).partition(".")[2]
    if not g.principal.roles & PAGES.get(name, Page("")).roles:
        raise forbidden("此页面仅供管理员使用，且三员各有分工。")


@views.get("")
def index() -> str:
    return render_template("administration.html", nav="administration", work=work_of(g.principal))


@views.get("/apps")
def apps() -> str:
    found = [app for app in calls.apps().ListApps(pb.ListAppsRequest()).apps if not app.built_in]
    return render_template("app_records.html", nav="administration", apps=found)


@views.get("/apps/new")
def new_app() -> str:
    empty = pb.App(audience=["all"], connector=pb.Connector(kind="bookmark"), order=100)
    return _edit(empty, new=True)


@views.get("/apps/<key>")
def edit_app(key: str) -> str:
    return _edit(calls.apps().GetApp(pb.GetAppRequest(app=key)), new=False)


@views.post("/apps/save")
def save_app() -> Response | tuple[str, int]:
    wanted, etag = _posted(), request.form.get("etag", "")
    try:
        saved = calls.apps().SaveApp(pb.SaveAppRequest(app=wanted, etag=etag, request_id=form_request_id()))
    except TongbanError as problem:
        fields = {_field(path): sentence for path, sentence in problem.fields.items()}
        if not fields:
            raise
        form_errors(fields)
        wanted.etag = etag
        return _edit(wanted, new=not etag), 422
    return go("/administration/apps", f"已保存“{saved.name}”")


@views.post("/apps/<key>/remove")
def remove_app(key: str) -> Response:
    calls.apps().RemoveApp(
        pb.RemoveAppRequest(app=key, etag=request.form.get("etag", ""), request_id=form_request_id())
    )
    return go("/administration/apps", "已下线该应用")


@views.post("/apps/<key>/test")
def test_app(key: str) -> str:
    report = calls.apps().TestConnector(pb.TestConnectorRequest(app=key), seconds=14)
    return render_template("app_report.html", report=report)


@views.get("/system")
def system() -> str:
    """The whole page; for htmx its inside, which refreshes itself."""
    state = calls.administration().GetSystemState(administration_pb2.GetSystemStateRequest(), seconds=14)
    template = "system_rows.html" if htmx() else "system.html"
    return render_template(template, nav="administration", state=state)


@views.get("/system/help")
def system_help() -> str:
    return render_template("system_help.html", nav="administration", runbooks=RUNBOOKS)


@views.get("/dead-letters")
def dead_letters() -> str:
    answer = calls.administration().ListDeadLetters(administration_pb2.ListDeadLettersRequest())
    return render_template("dead_letters.html", nav="administration", letters=answer.dead_letters)


@views.post("/dead-letters/<int:sequence>/replay")
def replay(sequence: int) -> Response:
    calls.administration().ReplayDeadLetter(
        administration_pb2.ReplayDeadLetterRequest(sequence=sequence, request_id=form_request_id())
    )
    return go("/administration/dead-letters", "已重新投递")


def _edit(app: pb.App, *, new: bool) -> str:
    units = calls.directory().ListUnits(directory_pb2.ListUnitsRequest()).units
    everybody = "all" in app.audience
    chosen = [
        token.split(":")[1] for token in app.audience if token.startswith("u:") and token.count(":") == 1
    ]
    special = [holder for holder in app.audience if holder not in {"all", *(f"u:{unit}" for unit in chosen)}]
    return render_template(
        "app_record.html",
        nav="administration",
        app=app,
        new=new,
        units=units,
        everybody=everybody,
        chosen=chosen,
        special=special,
    )


def _posted() -> pb.App:
    """The record as the form states it."""
    form = request.form
    login = pb.FormLogin()
    for name in _FORM:
        setattr(login, name, form.get(name, "").strip())
    for line in form.get("fields", "").splitlines():
        name, equals, value = line.partition("=")
        if equals and name.strip():
            login.fields[name.strip()] = value.strip()
    audience = ["all"] if form.get("everybody") == "all" else [f"u:{unit}" for unit in form.getlist("units")]
    audience += [holder for holder in form.get("special", "").split() if holder != "all"]
    order = form.get("order", "")
    return pb.App(
        app=form.get("app", "").strip(),
        name=form.get("name", ""),
        icon=form.get("icon", ""),
        description=form.get("description", ""),
        category=form.get("category", ""),
        audience=audience,
        connector=pb.Connector(
            kind=form.get("kind", ""),
            url=form.get("url", "").strip(),
            header=form.get("header", "").strip(),
            header_value=form.get("header_value", ""),
            form=login if form.get("kind") == "form" else None,
        ),
        probe=form.get("probe", "").strip(),
        order=int(order) if order.isdecimal() and len(order) < 7 else 0,
    )


def _field(path: str) -> str:
    """The form's name for a field of the message: connector.form.login_path → login_path."""
    name = path.rpartition(".")[2]
    return {"audience": "special"}.get(name, name)
