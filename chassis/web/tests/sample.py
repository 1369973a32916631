"""A small service whose caller and directory are invented, and the headers which the edge would add."""

from __future__ import annotations

from pathlib import Path

from flask import Blueprint, Flask, g, render_template_string, request

from chassis import context
from chassis.errors import InvalidInput, NotSignedIn, TongbanError, Unavailable, not_found
from chassis.identity_types import Principal
from chassis.web import create_app, form_errors, go, paged, toast
from chassis.web.gallery import GalleryDirectory

CSRF = "csrf-of-the-session"
SIGNED_IN = {"Authorization": "Bearer good", "X-Tongban-Csrf": CSRF, "X-Request-Id": "req-12345678"}
HTMX = {**SIGNED_IN, "HX-Request": "true"}
FORM = """{% import "kit.html" as ui %}{{ ui.error_summary() }}{{ ui.form_open("/documents/save") }}
{{ ui.field_text("title", "标题") }}{{ ui.field_datetime("due", "期限") }}
{{ ui.field_checks("where", "范围", ["a", "b"], value=["a"]) }}
{{ ui.people_picker("readers", "传阅", ["li"]) }}{{ ui.form_close() }}
{{ ui.form_open("/documents/other") }}{{ ui.field_text("title", "别的", "原来的") }}{{ ui.form_close() }}"""


class Verifier:
    """Knows one token."""

    def verify(self, token: str) -> Principal:
        if token != "good":
            raise NotSignedIn("NOT_SIGNED_IN", "登录已失效，请重新登录。", "")
        return Principal(person="zhang", name="张明远", posts=("zfb:head",), session="s")


def _views() -> Blueprint:  # noqa: C901 -- one small view after the other
    views = Blueprint("pages", __name__)

    @views.get("/")
    def home() -> str:
        call = context.current()
        return f"{g.principal.person} {call.token} {call.request_id} {call.left() > 5}"

    @views.get("/open")
    def public() -> str:
        return "open"

    @views.get("/fail/<kind>")
    def fail(kind: str) -> str:
        if kind == "missing":
            raise not_found("公文")
        if kind == "down":
            raise Unavailable("UNAVAILABLE", "公文服务暂时不可用。", "Down.")
        raise RuntimeError("mongodb://secret@inside")

    @views.route("/save", methods=["GET", "POST"])
    def save() -> object:
        if request.form.get("title") == "down":
            raise Unavailable("UNAVAILABLE", "公文服务暂时不可用。", "Down.")
        try:
            if request.method == "POST" and not request.form.get("title", "").startswith("关于"):
                raise InvalidInput(
                    "INVALID_INPUT", "标题要写明事由。", "", {"document.title": "标题要写明事由。"}
                )
        except TongbanError as error:
            form_errors(error)
            return render_template_string(FORM), 422
        if request.method == "GET":
            return render_template_string(FORM)
        return go("/documents/", "已保存")

    @views.post("/fragment")
    def fragment() -> object:
        return toast("<p>好</p>", "已保存", event="tongban:todo")

    @views.get("/list")
    def listing() -> object:
        page = paged("token/2")
        return {"next": page.next_href, "first": page.first_href}

    return views


def make_app(folder: Path) -> Flask:
    """The small service, with templates of its own in `folder`."""
    return create_app(
        "documents",
        _views(),
        folder,
        title="公文",
        public=("pages.public",),
        verifier=Verifier(),
        directory=GalleryDirectory(),
    )
