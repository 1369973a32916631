"""The proxy of legacy systems, as WSGI.

`/_apps/<app>/<path>` for requests that the edge took in at <app>.<apps domain>.

The person is known by the access token, the system by the edge's header, and both must fit the host in the
request: on the platform's own host nothing of a legacy system is ever served, for its scripts would run as
ours.
"""

from __future__ import annotations

import html
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any
from urllib.parse import urlsplit

import httpx

from chassis import context, log, metrics, telemetry
from chassis.errors import Forbidden, NotFound, NotSignedIn, TongbanError, TooMuch, Unavailable
from chassis.identity_types import Principal
from chassis.places import Places
from portal.connectors import headers, http
from portal.connectors.admission import PERSON, Admission
from portal.connectors.jar import Jar
from portal.connectors.opening import Opening
from portal.model import App

PREFIX = "/_apps/"
# Of the threads of this process, which serve the portal's own pages too: a slow system takes a few of them, never all.
AT_ONCE, AT_ONCE_PER_APP, PATIENCE = 16, 8, 2.0
_log = log.get(__name__)

Start = Callable[..., Any]


class Proxy:
    """The WSGI program. find: app id → record; verify: token → principal."""

    def __init__(
        self,
        opening: Opening,
        find: Callable[[str], App | None],
        verify: Callable[[str], Principal],
        apps_domain: str,
        public_url: str,
        refused: Callable[[Principal | None, TongbanError, str, str], None] = lambda *_: None,
    ) -> None:
        self._refused = refused  # told who was refused, why, what, and from where
        self._opening = opening
        self._admission = Admission(find, verify, apps_domain)
        self._public = public_url
        self._places = Places(AT_ONCE, AT_ONCE_PER_APP, PATIENCE)

    def __call__(self, environ: dict[str, Any], start: Start) -> Iterable[bytes]:
        """Serve one request; it is counted and belongs to a trace like any page's."""
        began = time.monotonic()

        def counted(status: str, *rest: Any) -> Any:
            seconds = time.monotonic() - began
            metrics.PAGES.done(seconds, PREFIX, status[:3])
            _log.info("page", route=PREFIX, status=status[:3], ms=round(seconds * 1000, 1))
            return start(status, *rest)

        trace = telemetry.received(environ.get("HTTP_TRACEPARENT", "")) or telemetry.fresh()
        request_id = environ.get("HTTP_X_REQUEST_ID", "")
        with context.serving(context.Call(request_id=request_id, method="portal proxy", traceparent=trace)):
            return self._answer(environ, counted)

    def _answer(self, environ: dict[str, Any], start: Start) -> Iterable[bytes]:
        try:
            app, principal, path = self._admission.admit(environ)
            self._places.take(app.id)
            try:
                answer = self._pass(environ, start, app, principal, path)
            except BaseException:
                self._places.give_back(app.id)
                raise
            return _Held(answer, lambda: self._places.give_back(app.id))
        except TongbanError as problem:
            _log.info("proxy refused", reason=problem.reason, path=environ.get("PATH_INFO", ""))
            if isinstance(problem, (Forbidden, NotSignedIn)):
                about = f"{environ.get('REQUEST_METHOD', '')} {environ.get('PATH_INFO', '')}"
                self._refused(environ.get(PERSON), problem, about, environ.get("HTTP_X_REAL_IP", ""))
            return self._sorry(start, problem)

    def _pass(
        self, environ: dict[str, Any], start: Start, app: App, principal: Principal, path: str
    ) -> Iterator[bytes]:
        form = app.connector.kind == "form"
        jar = self._opening.jar(app, principal) if form else self._jar(app, principal)
        answer = self._send(environ, app, principal, path, jar)
        if form and self._lost(answer, app, path):
            answer.close()
            jar = self._opening.renew(app, principal, jar)
            if environ["REQUEST_METHOD"] not in ("GET", "HEAD"):
                # The body has gone and the old session did not take it; the person sends it again from a
                # fresh page.
                raise Unavailable(
                    "SESSION_RENEWED",
                    "该系统的会话已过期并已重新登录，请返回上一页重新提交。",
                    "Signed in anew.",
                )
            answer = self._send(environ, app, principal, path, jar)
            if self._lost(answer, app, path):
                answer.close()
                raise Unavailable(
                    "APP_KEEPS_ASKING", "该系统反复要求登录，请联系系统管理员检查接入设置。", "Asks again."
                )
        cookies = answer.headers.get_list("set-cookie")
        if cookies:
            self._opening.jars.take(principal.session, app.id, cookies, app.connector.target.host, path)
        down = headers.downward(answer.headers.multi_items(), app.connector.target, path)
        start(f"{answer.status_code} {answer.reason_phrase or 'Answer'}", down)
        return _streamed(answer)

    def _jar(self, app: App, principal: Principal) -> Jar:
        return self._opening.jars.load(principal.session, app.id) or Jar()

    def _send(
        self, environ: dict[str, Any], app: App, principal: Principal, path: str, jar: Jar
    ) -> httpx.Response:
        target = app.connector.target
        cookies = jar.header(path, secure=target.scheme == "https")
        identity = headers.identity_header(app.connector, principal)
        up = headers.upward(_given(environ), target, cookies, identity)
        method = environ["REQUEST_METHOD"]
        return http.send(self._opening.client, target, method, path, up, _body(environ))

    def _lost(self, answer: httpx.Response, app: App, path: str) -> bool:
        """Whether the answer says that the legacy session is over: 401, or being sent to the login page."""
        if answer.status_code == 401:
            return True
        form = app.connector.form
        if path.partition("?")[0] == urlsplit(form.logout_path).path:
            return False  # The person leaves the system of one's own will; the next page signs in anew.
        login = urlsplit(form.login_path).path
        if answer.status_code in (301, 302, 303, 307):
            there = headers.relocated(answer.headers.get("location", ""), app.connector.target, path)
            return urlsplit(there).path == login
        return False

    def _sorry(self, start: Start, problem: TongbanError) -> Iterable[bytes]:
        status = {"NOT_FOUND": "404 Not Found", "NOT_SIGNED_IN": "401 Unauthorized"}.get(problem.reason, "")
        if not status:
            kinds = {
                Forbidden: "403 Forbidden",
                TooMuch: "413 Content Too Large",
                NotFound: "404 Not Found",
                Unavailable: "502 Bad Gateway",
            }
            status = kinds.get(type(problem), "409 Conflict")
        body = _SORRY.format(sentence=html.escape(problem.zh), home=html.escape(self._public)).encode()
        start(
            status,
            [
                ("Content-Type", "text/html; charset=utf-8"),
                ("Content-Length", str(len(body))),
                ("Cache-Control", "no-store"),
                ("X-Content-Type-Options", "nosniff"),
                ("Content-Security-Policy", "default-src 'none'"),
            ],
        )
        return [body]


class _Held:
    """An answer whose place is given back when the server has sent it or given it up; a server calls `close` always."""

    def __init__(self, answer: Iterator[bytes], give_back: Callable[[], None]) -> None:
        self._answer = answer
        self._give_back = give_back

    def __iter__(self) -> Iterator[bytes]:
        return self._answer

    def close(self) -> None:
        try:
            self._answer.close()  # type: ignore[attr-defined] # a generator's
        finally:
            self._give_back()


_SORRY = """<!doctype html><html lang="zh-CN"><meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>应用暂时无法打开</title><h1>应用暂时无法打开</h1><p>{sentence}</p>
<p><a href="{home}/apps">返回同办应用中心</a></p></html>"""


def _given(environ: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """The browser's headers.

    WSGI has made _ of every -, and the edge lets no header with a _ of its own through.
    """
    for key, value in environ.items():
        if key.startswith("HTTP_"):
            yield key[5:].replace("_", "-").title(), value
    for key, name in (("CONTENT_TYPE", "Content-Type"), ("CONTENT_LENGTH", "Content-Length")):
        if environ.get(key):
            yield name, environ[key]


def _body(environ: dict[str, Any]) -> Iterable[bytes] | bytes:
    length = int(environ.get("CONTENT_LENGTH") or 0)
    return _chunks(environ["wsgi.input"], length) if length else b""


def _chunks(stream: Any, left: int) -> Iterator[bytes]:
    while left > 0 and (chunk := stream.read(min(left, 65536))):
        left -= len(chunk)
        yield chunk


def _streamed(answer: httpx.Response) -> Iterator[bytes]:
    try:
        yield from http.bounded(answer)
    except TongbanError as problem:
        # The status has gone out already. Breaking off leaves the browser with an incomplete answer, which
        # is what it is.
        _log.warning("answer broken off", reason=problem.reason, detail=problem.en)
        raise ConnectionAbortedError(problem.reason) from problem
