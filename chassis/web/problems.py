"""What the reader sees when something fails: one sentence, what to do next, the request id. Never more.

A whole page for a navigation; for htmx a toast, leaving the page (and what was typed) as it stands.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import grpc
from flask import Flask, Response, g, make_response, render_template, request
from werkzeug.exceptions import HTTPException

from chassis import log
from chassis.audit import Audit
from chassis.errors import (
    Conflict,
    Exists,
    Forbidden,
    Internal,
    InvalidInput,
    NotFound,
    NotSignedIn,
    TimedOut,
    TongbanError,
    TooMuch,
    Unavailable,
    WrongState,
    from_rpc_error,
)
from chassis.web import answers, guard, language


@dataclass(frozen=True)
class Advice:
    """HTTP status, heading, what to do next, icon; `again`: the same request may be sent once more."""

    status: int
    title: str
    next_step: str
    icon: str = "warn"
    again: bool = False


_ADVICE: dict[type[TongbanError], Advice] = {
    InvalidInput: Advice(422, "填写的内容有误", "请返回上一页，按提示修改后再提交。"),
    NotFound: Advice(
        404, "没有找到", "它可能已被撤回或移动。请从列表重新打开，或联系发给您链接的人。", "search"
    ),
    Exists: Advice(409, "已经存在", "请更换编号或名称，或打开已有的那一份。"),
    Forbidden: Advice(403, "不能这样操作", "如工作需要，请联系本单位文书或系统管理员。", "lock"),
    NotSignedIn: Advice(401, "请重新登录", "登录后会回到这一页。", "lock"),
    WrongState: Advice(409, "现在不能这样操作", "请刷新页面，看看最新的办理情况。"),
    Conflict: Advice(409, "别人刚刚修改过", "请刷新页面，在最新内容上继续办理。", "refresh"),
    TooMuch: Advice(429, "太大或太频繁", "请稍等片刻，或减少一次提交的内容。", "clock"),
    Unavailable: Advice(503, "服务暂时不可用", "再次提交不会重复办理。", "refresh", again=True),
    TimedOut: Advice(504, "处理超时", "再次提交不会重复办理。", "clock", again=True),
    Internal: Advice(
        500, "系统出了问题", "请稍后再试；如果仍不行，请把下面的编号告诉系统管理员。", again=True
    ),
}
_RELOAD = "请刷新页面重试；如果仍不行，请把下面的编号告诉系统管理员。"
_HTTP: dict[int, TongbanError] = {
    404: NotFound("NOT_FOUND", "没有这个页面。", "There is no such page."),
    405: WrongState("METHOD", "这个地址不能这样访问。", "This address cannot be used like that."),
    413: TooMuch("TOO_LARGE", "上传的内容超过了大小限制。", "What you sent is too large."),
    429: TooMuch("TOO_MUCH", "操作太频繁，请稍后再试。", "Too many requests."),
}
_BAD = InvalidInput("BAD_REQUEST", "请求的内容无法识别。", "The request could not be understood.")
_FAULT = Internal(
    "INTERNAL", "系统出现错误，我们已经记录。", "An internal error occurred; it has been recorded."
)


def install(app: Flask, audit: Callable[[], Audit | None] = lambda: None) -> None:
    """Give every failure in `app` its page; what the pages themselves refuse goes on record."""

    @app.errorhandler(TongbanError)
    def known(error: TongbanError) -> Response:
        if isinstance(error, Internal):
            log.get(__name__).error("a service reported a fault", reason=error.reason)
        if (
            isinstance(error, (Forbidden, NotSignedIn))
            and not error.remote
            and (trail := audit()) is not None
        ):
            trail.record_if_possible("PageRefused", error, about=f"{request.method} {request.path}")
        return _answer(error)

    @app.errorhandler(grpc.RpcError)
    def call_failed(error: grpc.RpcError) -> Response:
        return known(from_rpc_error(error))

    @app.errorhandler(HTTPException)
    def http(error: HTTPException) -> Response:
        if error.response is not None or (error.code or 500) < 400:  # abort(response), redirects
            return make_response(error.get_response())
        return _answer(_HTTP.get(error.code or 500, _BAD), error.code)

    @app.errorhandler(Exception)
    def unexpected(_error: Exception) -> Response:
        log.get(__name__).exception("a page failed")
        try:
            return _answer(_FAULT)
        except Exception:  # noqa: BLE001 -- the frame of all pages is what fails; it is logged
            log.get(__name__).exception("the error page failed")
            return make_response(
                (
                    f"{_FAULT.zh} {g.get('request_id', '')}\n",
                    500,
                    {"Content-Type": "text/plain; charset=utf-8"},
                )
            )


def _answer(error: TongbanError, status: int | None = None) -> Response:
    advice = next((_ADVICE[kind] for kind in type(error).__mro__ if kind in _ADVICE), _ADVICE[Internal])
    sentence = (error.en or error.zh) if language.english() else error.zh
    if advice.again and request.method in guard.SAFE:
        advice = replace(advice, next_step=_RELOAD)
    status = status or advice.status
    if answers.htmx():
        # The page stays as it is; 422 would otherwise be swapped in as a form with messages.
        response = make_response(
            render_template("error_fragment.html", sentence=sentence, advice=advice), status
        )
        response.headers["HX-Reswap"] = "none"
        detail = {"text": sentence, "hint": language.t(advice.next_step), "tone": "bad"}
        if status >= 500:
            detail["code"] = g.get("request_id", "")
        return answers.trigger(response, "tongban:toast", detail)
    page = render_template(
        "error.html", sentence=sentence, advice=advice, status=status, repeat=_repeat(advice)
    )
    return make_response(page, status)


def _repeat(advice: Advice) -> list[tuple[str, str]] | None:
    """The posted fields, to send the same request (and request_id) again; None where that cannot be."""
    if not advice.again or request.method != "POST" or request.files:
        return None
    if (request.content_length or 0) > 512 * 1024:
        return None
    return [(name, value) for name, value in request.form.items(multi=True) if name != "_csrf"]
