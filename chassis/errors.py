"""The errors that a user can meet, typed once for all services.

On the wire each is a google.rpc.Status with ErrorInfo (reason, domain, both sentences) and, for bad input, BadRequest. Anything
that is not one of these leaves a service as INTERNAL with the request id and no text.
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, field

import grpc
from google.protobuf import any_pb2
from google.protobuf.message import DecodeError
from google.rpc import code_pb2, error_details_pb2, status_pb2

DOMAIN = "tongban"
# A status travels in the trailing metadata, of which a client takes 8 KB: a longer one would arrive as a nameless error.
_SENTENCE, _STATUS_BYTES = 300, 5000


# Not compared by content: an exception must stay hashable.
@dataclass(eq=False)
class TongbanError(Exception):
    """Base of all errors that may be shown.

    reason: UPPER_SNAKE_CASE, stable, for programs; zh, en: one sentence each, for people;
    fields: field path → Chinese sentence, for bad input.
    """

    reason: str
    zh: str
    en: str = ""
    fields: dict[str, str] = field(default_factory=dict)

    code = grpc.StatusCode.UNKNOWN
    remote = False  # whether another process of the platform refused, which has it on record then

    def __str__(self) -> str:
        return f"{self.reason}: {self.en or self.zh}"

    def to_status(self) -> status_pb2.Status:
        """This error as it goes over the wire."""
        info = error_details_pb2.ErrorInfo(
            reason=self.reason,
            domain=DOMAIN,
            metadata={"zh": self.zh[:_SENTENCE], "en": (self.en or self.zh)[:_SENTENCE]},
        )
        details = [_packed(info)]
        bad = error_details_pb2.BadRequest()
        for path, sentence in self.fields.items():
            violation = error_details_pb2.BadRequest.FieldViolation(
                field=path, description=sentence[:_SENTENCE]
            )
            if details[0].ByteSize() + bad.ByteSize() + violation.ByteSize() > _STATUS_BYTES:
                break
            bad.field_violations.append(violation)
        if self.fields:
            details.append(_packed(bad))
        return status_pb2.Status(code=self.code.value[0], message=(self.en or self.zh)[:100], details=details)


class InvalidInput(TongbanError):
    """What was sent cannot be accepted whatever the state."""

    code = grpc.StatusCode.INVALID_ARGUMENT


class NotFound(TongbanError):
    """There is no such thing, or the caller may not know that there is."""

    code = grpc.StatusCode.NOT_FOUND


class Exists(TongbanError):
    """The unique place is taken."""

    code = grpc.StatusCode.ALREADY_EXISTS


class Forbidden(TongbanError):
    """The caller is known and may not do this."""

    code = grpc.StatusCode.PERMISSION_DENIED


class NotSignedIn(TongbanError):
    """No valid token."""

    code = grpc.StatusCode.UNAUTHENTICATED


class WrongState(TongbanError):
    """Right in itself, but not now."""

    code = grpc.StatusCode.FAILED_PRECONDITION


class Conflict(TongbanError):
    """Somebody else changed it meanwhile: read again, then repeat."""

    code = grpc.StatusCode.ABORTED


class TooMuch(TongbanError):
    """A limit of size or rate."""

    code = grpc.StatusCode.RESOURCE_EXHAUSTED


class Unavailable(TongbanError):
    """A part that is needed does not answer; the same call may work later."""

    code = grpc.StatusCode.UNAVAILABLE


class TimedOut(TongbanError):
    """The call's deadline passed."""

    code = grpc.StatusCode.DEADLINE_EXCEEDED


class Internal(TongbanError):
    """A fault of ours. The sentence says nothing but the request id."""

    code = grpc.StatusCode.INTERNAL


_BY_CODE: dict[int, type[TongbanError]] = {
    kind.code.value[0]: kind
    for kind in (
        InvalidInput, NotFound, Exists, Forbidden, NotSignedIn, WrongState,
        Conflict, TooMuch, Unavailable, TimedOut, Internal,
    )
}  # fmt: skip

# What gRPC itself answers, without a word of ours.
_AWAY = ("UNAVAILABLE", "服务暂时不可用，请稍后再试。", "The service is not available right now.")
_PLAIN = {
    code_pb2.UNAVAILABLE: _AWAY,
    # A server that stops cancels what it could not finish.
    code_pb2.CANCELLED: _AWAY,
    code_pb2.DEADLINE_EXCEEDED: ("TIMED_OUT", "处理超时，请稍后再试。", "The call took too long."),
    code_pb2.UNAUTHENTICATED: ("NOT_SIGNED_IN", "登录已失效，请重新登录。", "Not signed in."),
    code_pb2.PERMISSION_DENIED: ("FORBIDDEN", "您没有进行此操作的权限。", "Not allowed."),
    code_pb2.RESOURCE_EXHAUSTED: ("TOO_MUCH", "请求过大或过多，请稍后再试。", "Too large or too many."),
}
_FOREIGN: dict[int, type[TongbanError]] = {
    code_pb2.CANCELLED: Unavailable,
    **{code: _BY_CODE[code] for code in _PLAIN if code in _BY_CODE},
}


def not_found(what: str = "内容") -> NotFound:
    """The one answer for what is absent and for what the caller may not see."""
    return NotFound("NOT_FOUND", f"没有找到该{what}，或您无权查看。", "Not found, or not visible to you.")


def not_signed_in(why: str = "Not signed in.") -> NotSignedIn:
    """A page or the API was asked for by somebody without a login."""
    return NotSignedIn("NOT_SIGNED_IN", "您还没有登录，或登录已失效。", why)


def forbidden(sentence: str = "您没有进行此操作的权限。") -> Forbidden:
    """Refusal of an action on a thing that the caller may see."""
    return Forbidden("FORBIDDEN", sentence, "You may not do this.")


def invalid(**fields: str) -> InvalidInput:
    """Bad input, one Chinese sentence per field (double underscore stands for a dot)."""
    paths = {name.replace("__", "."): sentence for name, sentence in fields.items()}
    return InvalidInput("INVALID_INPUT", "；".join(paths.values()), f"Invalid: {', '.join(paths)}", paths)


def wrong_state(sentence: str, reason: str = "WRONG_STATE", en: str = "") -> WrongState:
    """Right in itself, but not in the present state."""
    return WrongState(reason, sentence, en or "Not possible in the present state.")


def exists() -> Exists:
    """The id is taken by another record."""
    return Exists("EXISTS", "已存在相同的记录。", "There is such a record already.")


def changed_meanwhile() -> Conflict:
    """What was read is no longer what there is."""
    return Conflict("CHANGED_MEANWHILE", "内容已被他人更新，请刷新后再试。", "Changed meanwhile; read again.")


def too_busy() -> Conflict:
    """Others were faster each time (chassis.records.attempts)."""
    return Conflict("TOO_BUSY", "同时操作的人过多，请稍后再试。", "Too many concurrent changes.")


def timed_out() -> TimedOut:
    """The call's deadline passed."""
    return TimedOut(*_PLAIN[code_pb2.DEADLINE_EXCEEDED])


def away() -> Unavailable:
    """The service that is needed does not answer."""
    return Unavailable(*_AWAY)


def from_rpc_error(error: grpc.RpcError) -> TongbanError:
    """The typed error behind a failed call.

    Errors that no service of ours wrote (a dead server, a passed deadline) get the sentence for their code.
    """
    if not isinstance(error, grpc.Call):
        return _foreign(code_pb2.INTERNAL)
    for key, value in error.trailing_metadata() or ():
        if key == "grpc-status-details-bin":
            with contextlib.suppress(DecodeError):
                found = from_status(status_pb2.Status.FromString(value))
                found.remote = True
                return found
    return _foreign(error.code().value[0])


def from_status(status: status_pb2.Status) -> TongbanError:
    """The typed error behind a google.rpc.Status.

    A status that is not ours gets the sentence for its code: its own text may be anything.
    """
    fields: dict[str, str] = {}
    ours = None
    for packed in status.details:
        info, bad = error_details_pb2.ErrorInfo(), error_details_pb2.BadRequest()
        if packed.Is(info.DESCRIPTOR) and packed.Unpack(info) and info.domain == DOMAIN:
            ours = info
        elif packed.Is(bad.DESCRIPTOR) and packed.Unpack(bad):
            fields = {violation.field: violation.description for violation in bad.field_violations}
    if ours is None:
        return _foreign(status.code)
    kind = _BY_CODE.get(status.code, Internal)
    return kind(ours.reason, ours.metadata["zh"], ours.metadata["en"], fields)


def _foreign(code: int) -> TongbanError:
    reason, zh, en = _PLAIN.get(code, ("INTERNAL", "系统出现错误，请联系管理员。", "Internal error."))
    return _FOREIGN.get(code, Internal)(reason, zh, en)


def _packed(message: error_details_pb2.ErrorInfo | error_details_pb2.BadRequest) -> any_pb2.Any:
    packed = any_pb2.Any()
    packed.Pack(message)
    return packed
