"""The security administrator's pages: people and what they may do, and the matrix of all rights."""

from __future__ import annotations

from flask import g, render_template, request
from tongban.portal.v1 import directory_pb2 as pb
from werkzeug.wrappers import Response

from chassis.errors import TongbanError, not_found
from chassis.web import form_errors, form_request_id, go
from chassis.words import POSTS, REALM_ROLES, levels
from portal.pages import calls
from portal.pages.administration import views
from portal.pages.rights import PAGES, matrix

__all__ = ["views"]


@views.get("/people")
def people() -> str:
    """Everybody whose name is looked for."""
    words = request.args.get("q", "").strip()[:100]
    found = calls.directory().SearchPeople(pb.SearchPeopleRequest(words=words, page_size=100)).people
    return render_template("granting.html", nav="administration", people=found, words=words)


@views.get("/people/<username>")
def person(username: str) -> str:
    """What one account may do."""
    return _person(_found(username))


@views.post("/people/<username>")
def save_person(username: str) -> Response | tuple[str, int]:
    """Give and take."""
    form = request.form
    posts = [post for post in form.getlist("posts") if post]
    if form.get("unit") and form.get("role") in POSTS:
        posts.append(f"{form['unit']}:{form['role']}")
    wanted = pb.Rights(
        username=username,
        posts=dict.fromkeys(posts),
        clearance=form.get("clearance", 0, int),
        roles=[form["administrator"]] if form.get("administrator") else [],
    )
    try:
        calls.directory().SaveRights(pb.SaveRightsRequest(rights=[wanted], request_id=form_request_id()))
    except TongbanError as problem:
        if not problem.fields:
            raise
        form_errors({"administrator": "；".join(problem.fields.values())})
        return _person(_found(username)), 422
    return go(f"/administration/people/{username}", "已保存。原有登录如失去权限，需重新登录")


@views.get("/rights")
def rights() -> str:
    """The matrix of rights, whole or as far as one role goes."""
    role = request.args.get("role", "")
    words = request.args.get("q", "").strip()
    units = [
        {**unit, "rows": [row for row in unit["rows"] if _asked(row, role, words)]}
        for unit in matrix()["units"]
    ]
    pages = [page for page in PAGES.values() if not role or role in page.roles]
    return render_template(
        "rights.html",
        nav="administration",
        units=[unit for unit in units if unit["rows"]],
        pages=pages,
        role=role,
        words=words,
        callers=POSTS | REALM_ROLES,
    )


def _asked(row: dict[str, object], role: str, words: str) -> bool:
    callers = row["callers"]
    named = not role or (isinstance(callers, list) and role in callers)
    return named and words in f"{row['object']}{row['action']}{row['whose']}"


def _found(username: str) -> pb.Person:
    found: pb.SearchPeopleResponse = calls.directory().SearchPeople(
        pb.SearchPeopleRequest(words=username, page_size=100)
    )
    for one in found.people:
        if one.username == username:
            return one
    raise not_found("账号")


def _person(one: pb.Person) -> str:
    own = one.username == g.principal.username
    return render_template(
        "grant.html",
        nav="administration",
        one=one,
        own=own,
        post_roles=POSTS,
        administrators=REALM_ROLES,
        clearances=[(str(number), word) for number, word in levels("不涉密")],
    )
