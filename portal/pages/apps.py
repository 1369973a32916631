"""The catalogue: one click into a system, and the person's own credential for it."""

from __future__ import annotations

from flask import Blueprint, Response, make_response, redirect, render_template, request
from tongban.portal.v1 import apps_pb2 as pb
from werkzeug.wrappers import Response as Answer

from chassis.errors import TongbanError, WrongState
from chassis.web import form_errors, form_request_id, go
from portal.pages import calls

views = Blueprint("apps", __name__)
# Not of the gateway's family `__Host-tongban…`, which the edge hands to nobody else.
RECEIPT = "__Host-receipt"
_TEN_HOURS = 36000


@views.get("/apps")
def catalogue() -> str:
    found = calls.apps().ListApps(pb.ListAppsRequest()).apps
    groups: dict[str, list[pb.App]] = {}
    for app in found:
        groups.setdefault(app.category or "其他", []).append(app)
    return render_template("apps.html", nav="apps", groups=groups)


@views.get("/apps/<key>/open")
def launch(key: str) -> Answer:
    """One click.

    A link and no form, because a browser holds a form's redirect to another host for forbidden
    (form-action).
    """
    try:
        answer = calls.apps().LaunchApp(pb.LaunchAppRequest(app=key), seconds=14)
    except WrongState as problem:
        # A credential is missing or was refused: the system's page asks for it and says why.
        return go(f"/apps/{key}", problem.zh, tone="warn")
    response = redirect(answer.url, 303)
    if answer.receipt:
        response.set_cookie(
            RECEIPT, answer.receipt, _TEN_HOURS, path="/", secure=True, httponly=True, samesite="Lax"
        )
    response.headers["Cache-Control"] = "no-store"
    response.headers["Referrer-Policy"] = "no-referrer"
    return response


@views.get("/apps/<key>")
def show(key: str) -> str:
    return _shown(key)


@views.post("/apps/<key>/credential")
def save(key: str) -> Answer | tuple[str, int]:
    try:
        calls.apps().SaveCredential(
            pb.SaveCredentialRequest(
                app=key,
                username=request.form.get("username", ""),
                password=request.form.get("password", ""),
                request_id=form_request_id(),
            )
        )
    except TongbanError as problem:
        if not form_errors(problem):
            raise
        return _shown(key), 422
    return go(f"/apps/{key}", "已保存，现在可以一键进入")


@views.post("/apps/<key>/forget")
def forget(key: str) -> Answer:
    calls.apps().ForgetCredential(pb.ForgetCredentialRequest(app=key, request_id=form_request_id()))
    return go(f"/apps/{key}", "已删除保存的密码")


@views.post("/apps/<key>/test")
def test(key: str) -> Response:
    report = calls.apps().TestConnector(pb.TestConnectorRequest(app=key), seconds=14)
    return make_response(render_template("app_report.html", report=report))


def _shown(key: str) -> str:
    app = calls.apps().GetApp(pb.GetAppRequest(app=key))
    state = None
    if app.may_open and app.connector.kind == "form":
        state = calls.apps().GetCredentialState(pb.GetCredentialStateRequest(app=key))
    return render_template("app.html", nav="apps", app=app, state=state)
