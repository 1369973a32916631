"""All components on one page, with real-looking data: `python -m chassis.web.gallery --port 8099`. For development only.

There is no login here: a stand-in for the edge adds the headers which a signed-in browser's requests would carry.
"""

from __future__ import annotations

import argparse
import os
import re
import time
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from flask import Blueprint, Flask, Response, render_template, request, send_from_directory

from chassis import clock
from chassis.errors import TongbanError, Unavailable, invalid, not_found
from chassis.identity_types import Principal
from chassis.web import create_app, form_errors, go, htmx, paged, toast

HERE = Path(__file__).parent
CSRF = "gallery"
UNITS = '[{"name": "documents", "title": "公文", "icon": "document", "path": "/documents/"}]'
ICONS = " ".join(re.findall(r'symbol id="(\w+)"', (HERE / "static/icons.svg").read_text()))
_PEOPLE = {
    "zhang": "张明远",
    "li": "李晓燕",
    "wang": "王建国",
    "chen": "陈思宇",
    "zhao": "赵丽华",
    "ouyang": "欧阳振华",
    "liu": "刘伟",
}
_UNITS = {
    "zfb": ("云溪区人民政府办公室", "区府办"), "fgw": ("云溪区发展和改革局", "区发改局"), "czj": ("云溪区财政局", "区财政局"),
    "zrzy": ("云溪区自然资源和规划局", "区资规局"), "jtj": ("云溪区交通运输局", "区交通局"),
    "xzsp": ("云溪区行政审批服务局（区政务服务数据管理局）", "区审批局"),
}  # fmt: skip


@dataclass(frozen=True)
class Named:
    """A person or a unit, as far as names go."""

    name: str
    short_name: str = ""


class GalleryDirectory:
    """A directory of a few invented people."""

    def person(self, person: str) -> Named | None:
        """The person, or None."""
        return Named(_PEOPLE[person]) if person in _PEOPLE else None

    def unit(self, unit: str) -> Named | None:
        """The unit, or None."""
        return Named(*_UNITS[unit]) if unit in _UNITS else None


class GalleryVerifier:
    """Takes every token for that of one invented vice director."""

    def verify(self, token: str) -> Principal:
        """The one person of the gallery."""
        posts = ("zfb:head", "zfb:leader", "fgw:member")
        return Principal(
            person="zhang",
            name="张明远",
            posts=posts,
            roles=frozenset({"auditor"}),
            clearance=2,
            session=token,
        )


views = Blueprint("gallery", __name__)


def _ago(**span: float) -> datetime:
    return clock.now() - timedelta(**span)


def data() -> dict[str, Any]:
    """What the gallery shows; tests render the kit with it too."""
    return {
        "ago": _ago,
        "todo": [
            {"title": "关于开展2026年度防汛备汛专项检查工作的通知", "action": "签发", "urgency": "特急", "level": 0, "sender": "li", "unit": "zfb", "time": _ago(minutes=18), "due": _ago(hours=-3), "unread": True},
            {"title": "云溪区发展和改革局关于报送2027年度区级重点建设项目计划（草案）及资金安排建议的请示", "action": "批示", "urgency": "加急", "level": 1, "sender": "chen", "unit": "fgw", "time": _ago(hours=20), "due": _ago(days=2), "unread": True},
            {"title": "区政府第15次常务会议回执", "action": "回执", "urgency": "", "level": 0, "sender": "zhao", "unit": "zfb", "time": _ago(days=1), "due": _ago(days=-1), "unread": False},
            {"title": "老旧小区改造工程进展情况督办（第三期）", "action": "填报进展", "urgency": "", "level": 0, "sender": "gone", "unit": "czj", "time": _ago(days=6), "due": _ago(days=-9), "unread": False},
        ],
        "columns": [
            {"key": "title", "label": "标题", "primary": True}, {"key": "number", "label": "发文字号", "nowrap": True},
            {"key": "unit", "label": "发文机关"}, {"key": "state", "label": "状态"}, {"key": "date", "label": "成文日期", "nowrap": True, "align": "end"},
        ],
        "rows": [
            {"id": "1", "title": "云溪区人民政府办公室关于印发《云溪区数字政府建设三年行动方案（2026—2028年）》的通知", "number": "云政办发〔2026〕12号", "unit": "zfb", "state": "已签发", "date": _ago(days=3), "href": "/x/1"},
            {"id": "2", "title": "关于调整区安全生产委员会组成人员的通知", "number": "云政办函〔2026〕108号", "unit": "zfb", "state": "办理中", "date": _ago(days=12), "href": "/x/2", "tone": "bad"},
            {"id": "3", "title": "关于2026年第三季度财政预算执行情况的报告", "number": None, "unit": "czj", "state": "已退回", "date": _ago(days=400), "href": "/x/3"},
            {"id": "4", "title": "关于公布区级行政审批事项清单的公告", "number": "云审批〔2026〕3号", "unit": "xzsp", "state": "已归档", "date": _ago(days=40), "href": "/x/4"},
        ],
        "steps": [
            {"title": "拟稿", "state": "done", "people": ["li"], "when": _ago(days=2)},
            {"title": "部门审核", "state": "done", "people": ["wang"], "when": _ago(days=1, hours=3)},
            {"title": "会签", "state": "current", "people": ["chen", "zhao"], "note": "1 人已签，1 人未签"},
            {"title": "签发", "state": "waiting", "who": "区政府办公室主任"},
            {"title": "编号印发", "state": "waiting"},
        ],
        "course": [
            {"time": _ago(hours=2), "person": "ouyang", "on_behalf_of": "wang", "unit": "zfb", "action": "审核", "opinion": "已核，建议将第二部分的时限统一为12月20日前，其余同意。\n请晓燕同志修改后报建国主任签发。", "outcome": "退回修改"},
            {"time": _ago(days=1), "person": "chen", "on_behalf_of": "", "unit": "fgw", "action": "会签", "opinion": "同意。", "outcome": "同意"},
            {"time": _ago(days=2), "person": "nobody", "on_behalf_of": "", "unit": "abolished", "action": "起草", "opinion": "", "outcome": ""},
        ],
        "files": [
            {"name": "云溪区数字政府建设三年行动方案（2026—2028年）（送审稿第三次修改）.docx", "size": 348_211, "href": "/f/1", "preview": "/f/1?view", "time": _ago(days=1)},
            {"name": "正式文件.ofd", "size": 1_932_733, "href": "/f/2", "note": "已签章"},
            {"name": "重点项目资金安排表.xlsx", "size": 58_101, "href": "/f/3", "preview": "/f/3?view"},
            {"name": "现场照片.zip", "size": 88_101_331, "href": "/f/4"},
        ],
    }  # fmt: skip


@views.get("/")
def home() -> str:
    """The gallery."""
    rest = [] if request.args.get("q") == "无" else data()["rows"]
    return render_template(
        "gallery.html",
        **{**data(), "rows": rest},
        page=paged("next-one", total=1286),
        nav="home",
        icons=ICONS,
    )


@views.get("/form")
def form() -> str:
    """A form page as services make them."""
    return render_template("gallery_form.html", nav="documents", **data())


@views.post("/form")
def send() -> Any:
    """Refuses a title shorter than five characters, fails on request, else accepts."""
    title = request.form.get("title", "")
    if "故障" in title:
        raise Unavailable(
            "UNAVAILABLE", "公文服务暂时不可用，请稍后再试。", "The documents service is not available."
        )
    if "错误" in title:
        raise RuntimeError("secret detail of the inside")
    try:
        if len(title) < 5:
            raise invalid(title="标题至少5个字，请写明事由和文种。", readers="请至少选择一位传阅人。")
    except TongbanError as error:
        if not form_errors(error):
            raise
        return render_template("gallery_form.html", nav="documents", **data()), 422
    if htmx():
        return toast("<p>已保存。</p>", "已保存")
    return go("/", f"已送出：{title}（{len(request.form.getlist('readers'))} 人传阅）")


@views.get("/directory/pick")
def pick() -> str:
    """What the portal will answer."""
    query, time_to_answer = request.args.get("q", ""), 0.1
    time.sleep(time_to_answer)
    if request.args.get("kind") == "unit":
        items = [{"value": key, "label": full, "note": short} for key, (full, short) in _UNITS.items()]
    else:
        items = [{"value": key, "label": name, "note": "区府办 · 科员"} for key, name in _PEOPLE.items()]
    found = [item for item in items if query in item["label"] + item["note"]]
    return render_template("gallery_pick.html", items=found, q=query)


@views.get("/missing")
def missing() -> str:
    """An error page."""
    raise not_found("公文")


@views.get("/offline")
def offline() -> str:
    """The page for no connection."""
    return render_template("offline.html")


@views.get("/stream/")
def stream() -> Response:
    """A stream with one message after two seconds."""

    def events() -> Iterable[str]:
        yield 'event: todo\ndata: {"count": 12}\n\n'
        time.sleep(2)
        yield 'event: todo\ndata: {"count": 13, "title": "关于召开防汛工作会议的通知", "action": "签收", "link": "/form"}\n\n'
        time.sleep(600)

    return Response(events(), mimetype="text/event-stream")


@views.get("/sw.js")
def service_worker() -> Response:
    """As the portal serves it."""
    return send_from_directory(HERE / "static", "sw.js")


def application() -> Flask:
    """The gallery's application behind its stand-in for the edge."""
    app = create_app(
        "portal", views, HERE / "gallery_templates", title="组件", public=("gallery.offline", "gallery.service_worker"),
        verifier=GalleryVerifier(), directory=GalleryDirectory(),
    )  # fmt: skip
    inner = app.wsgi_app

    def edge(environ: dict[str, Any], start: Any) -> Any:
        if environ["PATH_INFO"] != "/offline":
            environ["HTTP_AUTHORIZATION"], environ["HTTP_X_TONGBAN_CSRF"] = "Bearer gallery", CSRF
        return inner(environ, start)

    app.wsgi_app = edge  # type: ignore[assignment]
    return app


def main() -> None:
    """Serve the gallery on 127.0.0.1."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=8099)
    parser.add_argument("--vendor", type=Path, help="a folder with htmx.min.js, when static/vendor is empty")
    given = parser.parse_args()
    os.environ.setdefault("TONGBAN_UNITS", UNITS)
    app = application()
    if given.vendor:
        app.add_url_rule(
            "/static/vendor/<name>", "vendor.static", lambda name: send_from_directory(given.vendor, name)
        )
    app.run("127.0.0.1", given.port, threaded=True)


if __name__ == "__main__":
    main()
