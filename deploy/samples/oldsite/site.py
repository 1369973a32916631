"""The old system's pages: login with a session-bound token, search of old documents, a report, logout."""

from __future__ import annotations

import hashlib
import html
import secrets
import time
from typing import Any
from urllib.parse import parse_qsl

from flask import Flask, Response, redirect, request
from werkzeug.wrappers import Response as Answer

from deploy.samples.oldsite.accounts import Accounts

COOKIE = "JSESSIONID"
IDLE = 30 * 60.0
DOCUMENTS = [
    ("云政发〔2006〕3号", "关于加强档案管理工作的通知", "2006-02-17", "区档案局"),
    ("云政办发〔2006〕11号", "关于做好防汛抗旱工作的紧急通知", "2006-05-30", "区水利局"),
    ("云政发〔2007〕8号", "关于印发农村公路建设管理办法的通知", "2007-03-12", "区交通局"),
    ("云发改〔2008〕25号", "关于下达固定资产投资计划的通知", "2008-04-09", "区发展和改革局"),
    ("云政办函〔2009〕6号", "关于同意设立便民服务中心的复函", "2009-07-21", "区政府办公室"),
    ("云财〔2010〕17号", "关于规范行政事业单位资产处置的意见", "2010-10-08", "区财政局"),
]
REPORT = [
    ("区政府办公室", 412, 398),
    ("区发展和改革局", 265, 240),
    ("区财政局", 301, 297),
    ("区水利局", 143, 120),
]


class Sessions:
    """Sessions of the old system, in memory: a token for the login form, and the user once signed in."""

    def __init__(self) -> None:
        self._held: dict[str, dict[str, Any]] = {}

    def find(self) -> tuple[str, dict[str, Any]]:
        """The session of the present request; a new one when there is none."""
        key = request.cookies.get(COOKIE, "")
        session = self._held.get(key)
        if session is None or session["seen"] + IDLE < time.time():
            self._held.pop(key, None)
            key = secrets.token_hex(16).upper()
            session = self._held[key] = {"token": secrets.token_hex(8), "user": "", "label": ""}
        session["seen"] = time.time()
        return key, session

    def end(self, key: str) -> None:
        """Forgets a session."""
        self._held.pop(key, None)


def create_site(accounts: Accounts) -> Flask:  # noqa: C901 - one small function per page
    """The site as a WSGI program."""
    site = Flask(__name__)
    sessions = Sessions()

    @site.get("/healthz")
    def healthz() -> Response:
        return Response("ok\n", mimetype="text/plain")

    @site.get("/")
    def start() -> Answer:
        return redirect("/index.jsp")

    @site.get("/login.jsp")
    def login() -> Answer:
        key, session = sessions.find()
        return _page("用户登录", _login_form(session["token"], request.args.get("err") == "1"), key)

    @site.post("/j_login.do")
    def sign_in() -> Answer:
        key, session = sessions.find()
        # The form is sent in the page's own encoding, as browsers do.
        form = _gbk_form(request.get_data())
        digest = hashlib.md5(f"{session['token']}v2".encode(), usedforsecurity=False).hexdigest()
        if form.get("struts.token") != session["token"] or form.get("sysVer") != digest:
            return _page("错误", "<p><font color=red>非法提交，请从登录页面进入！</font></p>", key, 403)
        # A token serves once, so that nobody sends the form again.
        session["token"] = secrets.token_hex(8)
        label = accounts.check(form.get("userName", ""), form.get("userPwd", ""))
        if not label or form.get("btnLogin") != "登 录":
            return _cookie(redirect("/login.jsp?err=1"), key)
        sessions.end(key)
        request.cookies = {}  # type: ignore[assignment]  # a new session after the login
        key, session = sessions.find()
        session.update(user=form["userName"], label=label)
        return _cookie(redirect(f"{request.host_url}index.jsp"), key)

    @site.get("/logout.do")
    def logout() -> Answer:
        sessions.end(request.cookies.get(COOKIE, ""))
        return redirect("/login.jsp")

    @site.get("/<name>.jsp")
    def page(name: str) -> Answer:
        key, session = sessions.find()
        if not session["user"]:
            return _cookie(redirect("/login.jsp"), key)
        bodies = {"index": _index, "search": _search, "report": _report}
        if name not in bodies:
            return _page("错误", "<p>页面不存在。</p>", key, 404, session["label"])
        titles = {"index": "首页", "search": "公文查询", "report": "收发文统计报表"}
        return _page(titles[name], bodies[name](), key, 200, session["label"])

    return site


def _gbk_form(body: bytes) -> dict[str, str]:
    return dict(
        parse_qsl(body.decode("ascii", "replace"), keep_blank_values=True, encoding="gbk", errors="replace")
    )


def _login_form(token: str, wrong: bool) -> str:  # noqa: FBT001
    check = hashlib.md5(f"{token}v2".encode(), usedforsecurity=False).hexdigest()
    red = (
        "<tr><td colspan=2><font color=red>用户名或密码错误！连续错误三次将锁定账号。</font></td></tr>"
        if wrong
        else ""
    )
    return f"""<form name=frmSearch action="/search.jsp" method=get><input name=kw size=12 disabled></form>
<form name="frmLogin" method="POST" action="j_login.do" onsubmit="return check()">
<input type=hidden name="struts.token" value="{token}"><input type="hidden" name='sysVer' value='{check}'>
<table border=0 cellpadding=4 align=center>{red}
<tr><td align=right>用户名：</td><td><input type=text name=userName size=16></td></tr>
<tr><td align=right>密&nbsp;&nbsp;码：</td><td><input type=password name=userPwd size=16></td></tr>
<tr><td align=right>界面：</td><td><select name=skin>
<option value=1 selected>经典<option value=2>喜庆</select></td></tr>
<tr><td></td><td><input type=submit name=btnLogin value="登 录"> <input type=reset value="重 填"></td></tr>
</table></form>"""


def _index() -> str:
    return """<p>欢迎使用公文档案查询系统 V2.0</p>
<ul><li><a href=search.jsp>公文查询</a><li><a href=/report.jsp>统计报表</a></ul>"""


def _search() -> str:
    words = _gbk_form(request.query_string).get("kw", "").strip()
    rows = "".join(
        f"<tr><td>{number}</td><td>{title}</td><td>{date}</td><td>{unit}</td></tr>"
        for number, title, date, unit in DOCUMENTS
        if words in title or words in number
    )
    return f"""<form method=get action=search.jsp>关键字：
<input name=kw value="{html.escape(words)}"> <input type=submit value="查 询"></form>
<table border=1 width=100% cellspacing=0 bordercolor="#99bbdd">
<tr bgcolor="#d6e8f8"><th>文号<th>标题<th>日期<th>单位</tr>{rows}</table>"""


def _report() -> str:
    rows = "".join(
        f"<tr><td>{unit}</td><td align=right>{got}</td><td align=right>{done}</td></tr>"
        for unit, got, done in REPORT
    )
    return f"""<table border=1 width=60% cellspacing=0 bordercolor="#99bbdd">
<tr bgcolor="#d6e8f8"><th>单位<th>收文<th>办结</tr>{rows}</table>"""


def _page(title: str, body: str, key: str, status: int = 200, label: str = "") -> Answer:
    who = f"当前用户：{html.escape(label)} | <a href=/logout.do>退出</a>" if label else ""
    text = f"""<html><head><meta http-equiv="Content-Type" content="text/html; charset=gb2312">
<title>{title}</title></head>
<body bgcolor="#eef5fb" topmargin=0><table width=100% bgcolor="#1a5fb4">
<tr><td><font size=5 color=white><b>公文档案查询系统</b></font></td>
<td align=right><font color=white size=2>{who}</font></td></tr></table><h3>{title}</h3>{body}
<hr><center><font size=2>云溪区信息中心 2006 版权所有
建议使用 1024×768 分辨率浏览</font></center></body></html>"""
    answer = Response(text.encode("gbk"), status)
    answer.headers["Content-Type"] = "text/html; charset=GBK"
    return _cookie(answer, key)


def _cookie(answer: Answer, key: str) -> Answer:
    answer.set_cookie(COOKIE, key, path="/", httponly=True)
    return answer
