"""Errors cross the wire whole, and nothing else does."""

from __future__ import annotations

import grpc
import pytest
from google.protobuf import any_pb2
from google.rpc import code_pb2, error_details_pb2, status_pb2
from grpc_status import rpc_status

from chassis import errors
from chassis.errors import Internal, InvalidInput, TongbanError, Unavailable, from_rpc_error, from_status

KINDS = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, TongbanError)]
KINDS.remove(TongbanError)
SECRET = "Traceback: password=hunter2 at 10.0.0.7"


class Failed(grpc.RpcError, grpc.Call):
    """A failed call as a client sees it."""

    def __init__(self, code, metadata=(), details=SECRET):
        self._of = code, metadata, details

    code = property(lambda self: lambda: self._of[0])
    trailing_metadata = property(lambda self: lambda: self._of[1])
    details = property(lambda self: lambda: self._of[2])
    add_callback = cancel = initial_metadata = is_active = time_remaining = None


@pytest.mark.parametrize("kind", KINDS)
def test_every_type_arrives_as_it_left(kind):
    sent = kind(
        "SOME_REASON",
        "一句话。",
        "One sentence.",
        {"title": "标题不能为空。", "elements.body": "正文不能为空。"},
    )
    wire = rpc_status.to_status(sent.to_status())
    got = from_rpc_error(Failed(wire.code, wire.trailing_metadata))
    assert type(got) is kind
    assert (got.reason, got.zh, got.en, got.fields) == (sent.reason, sent.zh, sent.en, sent.fields)
    assert wire.code is kind.code


def test_the_english_sentence_falls_back_to_the_chinese_one():
    assert from_status(Internal("X", "一句话。").to_status()).en == "一句话。"


@pytest.mark.parametrize("code", list(grpc.StatusCode))
def test_what_none_of_our_services_wrote_gets_a_sentence_and_no_inner_text(code):
    got = from_rpc_error(Failed(code))
    assert got.zh
    assert SECRET not in f"{got} {got.zh} {got.en} {got.reason}"
    # The type and the sentence never contradict each other.
    assert (got.reason == "INTERNAL") == (type(got) is Internal)


def test_a_stopping_server_counts_as_away():
    assert type(from_rpc_error(Failed(grpc.StatusCode.CANCELLED))) is Unavailable


def test_a_foreign_or_damaged_status_says_nothing_of_its_own():
    other = any_pb2.Any()
    other.Pack(error_details_pb2.ErrorInfo(reason="LEAK", domain="example.com", metadata={"zh": SECRET}))
    foreign = [
        status_pb2.Status(code=code_pb2.NOT_FOUND, message=SECRET),
        status_pb2.Status(code=code_pb2.INTERNAL, message=SECRET, details=[other]),
        status_pb2.Status(code=99, message=SECRET),
    ]
    for status in foreign:
        got = from_status(status)
        assert SECRET not in f"{got.reason} {got.zh} {got.en}"
        assert type(got) is Internal
    for junk in (b"\xff\xff\xff", b"", b"\x08"):
        got = from_rpc_error(Failed(grpc.StatusCode.UNAVAILABLE, (("grpc-status-details-bin", junk),)))
        assert SECRET not in f"{got} {got.zh}"
    assert type(from_rpc_error(grpc.RpcError(SECRET))) is Internal


def test_a_status_fits_into_the_metadata_however_much_went_wrong():
    many = InvalidInput(
        "INVALID_INPUT", "字" * 5000, "", {f"rows.{row}.title": "标题不能为空。" * 20 for row in range(500)}
    )
    status = many.to_status()
    assert status.ByteSize() < 6000
    got = from_status(status)
    assert got.reason == "INVALID_INPUT"
    assert got.fields
    assert set(got.fields) <= set(many.fields)


def test_an_error_is_hashable_like_any_exception():
    assert len({InvalidInput("A", "一"), InvalidInput("A", "一")}) == 2


def test_helpers():
    bad = errors.invalid(elements__title="标题不能为空。", body="正文不能为空。")
    assert bad.fields == {"elements.title": "标题不能为空。", "body": "正文不能为空。"}
    assert bad.zh == "标题不能为空。；正文不能为空。"
    assert type(errors.not_found()) is errors.NotFound
    assert type(errors.forbidden()) is errors.Forbidden
    assert errors.wrong_state("不行。", "NO").reason == "NO"
