"""Signing in at a system with a login page, on the server: fetch, fill, send, follow, judge.

The password goes nowhere else.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from urllib.parse import urljoin, urlsplit

import httpx

from chassis.errors import TongbanError, Unavailable, WrongState
from portal.connectors import http, pages
from portal.connectors.jar import Jar
from portal.connectors.target import Target, parse_target
from portal.model import App, FormLogin
from portal.vault import Secret

HOPS = 6


@dataclass
class Step:
    """One line of a report. Its detail never holds a value that is secret."""

    name: str
    outcome: str = "good"
    detail: str = ""
    milliseconds: int = 0


@dataclass
class Report:
    """What happened, step by step."""

    steps: list[Step] = field(default_factory=list)

    @contextmanager
    def step(self, name: str) -> Iterator[Step]:
        """Enters a step; an error that leaves the block is noted and goes on."""
        step, began = Step(name), time.monotonic()
        self.steps.append(step)
        try:
            yield step
        except TongbanError as problem:
            step.outcome, step.detail = "failed", problem.zh
            raise
        finally:
            step.milliseconds = round((time.monotonic() - began) * 1000)


@dataclass
class Page:
    """An answer that was read."""

    status: int
    url: str
    text: str
    encoding: str

    @property
    def path(self) -> str:
        """Its path, without the query."""
        return urlsplit(self.url).path or "/"


class Visit:
    """One visit to a system: its cookies, and requests which stay at its origin."""

    def __init__(self, client: httpx.Client, target: Target) -> None:
        self.jar = Jar()
        self._client = client
        self._target = target

    def go(
        self, url: str, method: str = "GET", body: bytes = b"", content_type: str = "", referer: str = ""
    ) -> Page:
        """Fetches a page, following redirects within the origin.

        Raises WrongState when it is led elsewhere; Unavailable.
        """
        for _ in range(HOPS):
            answer = self._send(url, method, body, content_type, referer)
            moved = answer.headers.get("location", "")
            if answer.status_code not in (301, 302, 303, 307, 308) or not moved:
                data = http.read(answer, pages.LARGEST)
                text, encoding = pages.decode(data, answer.headers.get("content-type", ""))
                return Page(answer.status_code, url, text, encoding)
            answer.close()
            referer, url = url, self.within(urljoin(url, moved))
            if answer.status_code in (301, 302, 303):
                method, body, content_type = "GET", b"", ""
        raise WrongState("TOO_MANY_REDIRECTS", "该系统不断跳转，登录未能完成。", "Too many redirects.")

    def within(self, url: str) -> str:
        """`url` itself.

        Raises WrongState when it does not lie at the system's origin.
        """
        if not self._target.same_origin(url):
            raise WrongState(
                "LED_ELSEWHERE", "该系统跳转到了登记地址以外的网站，已停止。", "Led to another origin."
            )
        return url

    def _send(self, url: str, method: str, body: bytes, content_type: str, referer: str) -> httpx.Response:
        path = parse_target(url.partition("#")[0]).path
        headers = [pair for pair in http.usual_headers(self._target) if pair[0] != "Referer"]
        headers.append(("Referer", referer or f"{self._target.origin}/"))
        if cookies := self.jar.header(path, secure=self._target.scheme == "https"):
            headers.append(("Cookie", cookies))
        if method == "POST":
            headers += [("Content-Type", content_type), ("Origin", self._target.origin)]
        answer = http.send(self._client, self._target, method, path, headers, body)
        self.jar.take(answer.headers.get_list("set-cookie"), self._target.host, path)
        return answer


def sign_in(client: httpx.Client, app: App, secret: Secret | None, report: Report) -> tuple[Jar, bool]:
    """Signs in; the jar and whether the system accepted the credential.

    Without a secret the report ends at the filled form.

    Raises Unavailable or WrongState when it never came to a verdict: then nothing speaks against the
    credential.
    """
    target, form = app.connector.target, app.connector.form
    visit = Visit(client, target)
    with report.step("打开登录页") as step:
        page = visit.go(f"{target.origin}{form.login_path}")
        step.detail = f"状态码 {page.status}，编码 {page.encoding}，取得 {len(visit.jar.cookies)} 个会话标识"
        if page.status >= 400:
            raise Unavailable(
                "APP_UNREACHABLE", f"登录页返回了状态码 {page.status}。", "The login page failed."
            )
    with report.step("填写登录表单") as step:
        ready = _filled(page, form, secret or Secret("", ""))
        visit.within(ready.url)
        step.detail = f"{ready.method} {urlsplit(ready.url).path}"
    if secret is None:
        report.steps.append(Step("提交用户名和密码", "skipped", "尚未保存您在该系统的用户名和密码"))
        return visit.jar, False
    before = {cookie.name: cookie.value for cookie in visit.jar.cookies}
    with report.step("提交用户名和密码") as step:
        if ready.method == "GET":
            landed = visit.go(f"{ready.url.partition('?')[0]}?{ready.body.decode()}", referer=page.url)
        else:
            landed = visit.go(ready.url, "POST", ready.body, ready.content_type, page.url)
        step.detail = f"状态码 {landed.status}，到达 {landed.path}"
        if landed.status >= 500:
            raise Unavailable(
                "APP_UNREACHABLE", f"该系统返回了状态码 {landed.status}。", "The system failed."
            )
    with report.step("判断登录结果") as step:
        good = _succeeded(landed, visit.jar, before, form)
        step.outcome = "good" if good else "failed"
        step.detail = "登录成功" if good else "该系统没有接受您的用户名或密码"
    return visit.jar, good


def _filled(page: Page, form: FormLogin, secret: Secret) -> pages.Filled:
    if form.body != "json":
        return pages.fill(page.text, page.url, page.encoding, form, secret)
    content = {
        **form.fields,
        form.username_field or "username": secret.username,
        form.password_field or "password": pages.digested(secret.password, form.digest),
    }
    return pages.Filled(page.url, "POST", json.dumps(content).encode(), "application/json")


def _succeeded(landed: Page, jar: Jar, before: dict[str, str], form: FormLogin) -> bool:
    rules: dict[str, Callable[[], bool]] = {
        "leaves_login": lambda: landed.status < 400 and pages.login_form(landed.text, form) is None,
        "cookie": lambda: jar.value(form.success_value) not in ("", before.get(form.success_value, "")),
        "text": lambda: form.success_value in pages.visible_text(landed.text),
        "path": lambda: landed.status < 400 and landed.path.startswith(form.success_value),
    }
    return rules[form.success]()


def sign_out(client: httpx.Client, app: App, jar: Jar) -> bool:
    """Calls the system's own logout with the person's cookies; whether it answered as one would hope."""
    if not app.connector.form.logout_path:
        return False
    visit = Visit(client, app.connector.target)
    visit.jar = jar
    try:
        return visit.go(f"{app.connector.target.origin}{app.connector.form.logout_path}").status < 400
    except TongbanError:
        return False
