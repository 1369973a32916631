import json

import grpc
import pytest

from chassis import errors
from gateway import problems


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (errors.InvalidInput("X", "x"), 400),
        (errors.NotSignedIn("X", "x"), 401),
        (errors.Forbidden("X", "x"), 403),
        (errors.NotFound("X", "x"), 404),
        (errors.Exists("X", "x"), 409),
        (errors.WrongState("X", "x"), 409),
        (errors.Conflict("X", "x"), 409),
        (errors.TooMuch("X", "x"), 429),
        (errors.Unavailable("X", "x"), 503),
        (errors.TimedOut("X", "x"), 504),
        (errors.Internal("X", "x"), 500),
        (errors.InvalidInput("REQUEST_ID_REUSED", "x"), 422),
        (errors.Conflict("REQUEST_ID_REUSED", "x"), 422),
        (errors.TooMuch("FILE_TOO_LARGE", "x"), 413),
    ],
)
def test_status(error, status):
    assert problems.status_of(error) == status


def test_every_code_has_a_status():
    missing = set(grpc.StatusCode) - set(problems.STATUS) - {grpc.StatusCode.OK}
    assert not missing


def test_lost_compare_and_set_is_412_with_if_match():
    assert problems.status_of(errors.Conflict("CHANGED_MEANWHILE", "x"), with_if_match=True) == 412


def test_body_is_rfc_9457():
    response = problems.problem(errors.invalid(title="请填写标题"), request_id="r1")
    body = json.loads(response.get_data())
    assert response.content_type == "application/problem+json"
    assert body == {
        "type": "urn:tongban:problem:INVALID_INPUT",
        "title": "请求有误",
        "status": 400,
        "detail": "请填写标题",
        "reason": "INVALID_INPUT",
        "request_id": "r1",
        "fields": [{"field": "title", "description": "请填写标题"}],
    }


def test_retry_after():
    assert problems.problem(errors.Unavailable("X", "x"), request_id="").headers["Retry-After"] == "5"
    assert problems.problem(errors.TooMuch("X", "x"), request_id="", wait=3.2).headers["Retry-After"] == "3"
    assert "Retry-After" not in problems.problem(errors.NotFound("X", "x"), request_id="").headers


@pytest.mark.parametrize(
    ("header", "english"),
    [
        ("", False),
        ("zh-CN,zh;q=0.9,en;q=0.8", False),
        ("en-US,en;q=0.9", True),
        ("en;q=0.5,zh;q=0.6", False),
        ("fr,en;q=0.3", True),
        ("*", False),
        ("en;q=x", False),
        ("," * 5000, False),
        ("en" * 300, False),
    ],
)
def test_language(header, english):
    assert problems.wants_english(header) is english
    detail = json.loads(
        problems.problem(errors.NotFound("X", "中文", "English"), request_id="", english=english).get_data()
    )["detail"]
    assert detail == ("English" if english else "中文")
