"""Errors as answers: chassis' typed errors → HTTP status and problem+json (RFC 9457)."""

from __future__ import annotations

import json
import re
from typing import Any

import grpc
from flask import Response, g, request
from werkzeug.exceptions import HTTPException

from chassis.errors import Conflict, Internal, TongbanError

_C = grpc.StatusCode
STATUS = {
    _C.INVALID_ARGUMENT: 400,
    _C.OUT_OF_RANGE: 400,
    _C.UNAUTHENTICATED: 401,
    _C.PERMISSION_DENIED: 403,
    _C.NOT_FOUND: 404,
    _C.ALREADY_EXISTS: 409,
    _C.FAILED_PRECONDITION: 409,
    _C.ABORTED: 409,
    _C.RESOURCE_EXHAUSTED: 429,
    _C.CANCELLED: 499,
    _C.UNKNOWN: 500,
    _C.INTERNAL: 500,
    _C.DATA_LOSS: 500,
    _C.UNIMPLEMENTED: 501,
    _C.UNAVAILABLE: 503,
    _C.DEADLINE_EXCEEDED: 504,
}
# Reasons whose HTTP status says more than their gRPC code does.
BY_REASON = {"REQUEST_ID_REUSED": 422, "TOO_LARGE": 413, "FILE_TOO_LARGE": 413, "METHOD_NOT_ALLOWED": 405}
TITLES = {
    400: ("请求有误", "Bad request"),
    401: ("未登录", "Not signed in"),
    403: ("没有权限", "Forbidden"),
    404: ("没有找到", "Not found"),
    405: ("不支持的方法", "Method not allowed"),
    409: ("与当前状态冲突", "Conflict"),
    412: ("内容已被更新", "Precondition failed"),
    413: ("内容过大", "Too large"),
    422: ("请求编号已被使用", "Request id already used"),
    429: ("请求过于频繁", "Too many requests"),
    499: ("请求已取消", "Cancelled"),
    500: ("系统错误", "Internal error"),
    501: ("尚不支持", "Not implemented"),
    503: ("服务暂时不可用", "Unavailable"),
    504: ("处理超时", "Timed out"),
}
RETRY_SECONDS = {409: 0, 429: 1, 503: 5}


def status_of(error: TongbanError, *, with_if_match: bool = False) -> int:
    """The HTTP status for `error`; a lost compare-and-set is 412 when the client asked by If-Match."""
    if error.reason in BY_REASON:
        return BY_REASON[error.reason]
    if with_if_match and isinstance(error, Conflict):
        return 412
    return STATUS.get(error.code, 500)


def wants_english(accept_language: str) -> bool:
    """Whether English is asked for rather than Chinese, which is the default."""
    best, chosen = 0.0, "zh"
    for part in accept_language[:500].split(","):
        found = re.fullmatch(r"\s*([A-Za-z*]{1,8})[^;]*(?:;\s*q=([01](?:\.\d{0,3})?))?\s*", part)
        if found and (quality := float(found[2] or 1)) > best and found[1].lower() in ("zh", "en"):
            best, chosen = quality, found[1].lower()
    return chosen == "en"


def problem(
    error: TongbanError,
    *,
    request_id: str,
    english: bool = False,
    with_if_match: bool = False,
    wait: float = 0,
) -> Response:
    """`error` as problem+json. `wait`: seconds for Retry-After, where the status has none of its own."""
    status = status_of(error, with_if_match=with_if_match)
    body: dict[str, Any] = {
        "type": f"urn:tongban:problem:{error.reason}",
        "title": TITLES.get(status, TITLES[500])[english],
        "status": status,
        "detail": (error.en or error.zh) if english else error.zh,
        "reason": error.reason,
        "request_id": request_id,
    }
    if error.fields:
        body["fields"] = [{"field": name, "description": text} for name, text in error.fields.items()]
    response = Response(json.dumps(body, ensure_ascii=False), status, content_type="application/problem+json")
    seconds = wait or RETRY_SECONDS.get(status, 0)
    if seconds:
        response.headers["Retry-After"] = str(max(1, round(seconds)))
    if status == 401:
        response.headers["WWW-Authenticate"] = 'Bearer realm="tongban"'
    response.headers["Cache-Control"] = "no-store"
    return response


def internal(request_id: str) -> Internal:
    """A fault of ours: only its number leaves the house."""
    return Internal(
        "INTERNAL", f"系统出现错误，请联系管理员（编号 {request_id}）。", f"Internal error ({request_id})."
    )


_PLAIN = {
    404: ("NO_SUCH_PATH", "没有这个接口，请检查地址。", "There is no such path."),
    405: ("METHOD_NOT_ALLOWED", "此地址不支持该方法。", "This path does not know the method."),
    413: ("TOO_LARGE", "请求体超过大小限制。", "The body is too large."),
}


def plain_problem(error: HTTPException) -> Response:
    """A refusal of the HTTP layer itself, in the same form."""
    status = error.code or 500
    reason, zh, en = _PLAIN.get(
        status,
        ("BAD_REQUEST", "请求无法识别，请检查地址、请求头和请求体。", "The request could not be understood."),
    )
    english = wants_english(request.headers.get("Accept-Language", ""))
    body = {
        "type": f"urn:tongban:problem:{reason}",
        "title": TITLES.get(status, TITLES[500])[english],
        "status": status,
        "detail": en if english else zh,
        "reason": reason,
        "request_id": g.get("request_id", ""),
    }
    return Response(json.dumps(body, ensure_ascii=False), status, content_type="application/problem+json")
