"""The audit of one process: exactly one record for every call that changes something, is refused, or opens what is classified.

The door of every service calls `kept` with each call's outcome; the gateway, the pages and commands of the command line call
`record`. A record is in this process's spool (chassis.spool) before the answer leaves, and goes from there into the stream
TONGBAN_AUDIT, of which services/audit makes the chain. A security operation is done only while that stream answers.

A record says who, what, when, from where and with what result; never content, never a secret.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterator
from functools import cached_property
from typing import Any

import grpc
from tongban.events.v1 import audit_pb2 as pb

from chassis import context, log
from chassis.audit_objects import object_of
from chassis.bus_thread import BusThread
from chassis.errors import Forbidden, NotFound, NotSignedIn, TongbanError, Unavailable
from chassis.identity_types import Principal
from chassis.settings import Settings
from chassis.spool import Spool
from chassis.streams import AUDIT

# Methods whose names begin so change nothing; they are recorded when they are refused or open something classified.
READING = ("Get", "List", "Search", "Read", "Find", "Suggest")
KEEP = "keep"  # a mark by which a reading call is recorded, whatever it read
ASK_SECONDS = 2.0  # how long a security operation waits for the stream's answer
_ALWAYS = (
    NotSignedIn,
    Forbidden,
    NotFound,
)  # refusals; what one may not see is answered as what is not there
_LONGEST = 200
_log = log.get(__name__)


def mark(**facts: object) -> None:
    """Tell the audit something of the call being served: level=…, object=…, on_behalf_of=…, or a small detail.

    `access_*` functions mark the level of what they look at, whether they let the caller see it or not.
    """
    marks = context.current().marks
    if marks is not None:
        marks.update({name: str(value)[:_LONGEST] for name, value in facts.items()})


class First:
    """A client's stream that remembers its first message, which says what is wanted."""

    def __init__(self, messages: Iterator[Any]) -> None:
        self._messages = messages
        self.message: Any = None

    def __iter__(self) -> First:
        return self

    def __next__(self) -> Any:
        message = next(self._messages)
        if self.message is None:
            self.message = message
        return message


class Audit:
    """The audit of this process. `security` names the methods that are refused while the stream does not answer."""

    def __init__(self, settings: Settings, bus: Callable[[], BusThread]) -> None:
        self.security: Collection[str] = frozenset()
        self._settings = settings
        self._bus = bus
        self._objects: dict[str, Callable[[Any, Any], str]] = {}

    @cached_property
    def spool(self) -> Spool:
        """Where records wait; begun with the first of them, so after any fork."""
        return Spool(self._settings.own_var / "audit", self._ship)

    def start(self) -> Audit:
        """Look for what an earlier process left, without waiting for the first record."""
        _ = self.spool
        return self

    def admit(self, method: str) -> None:
        """Before a call is carried out.

        Raises Unavailable for a security operation while nobody could keep its record.
        """
        if method in self.security and not self.answers():
            raise Unavailable(
                "AUDIT_UNAVAILABLE",
                "审计记录暂时无法保存，涉及权限、人员和安全设置的操作已暂停，请稍后再试。",
                "The audit does not answer; security operations are refused until it does.",
            )

    def answers(self) -> bool:
        """Whether the stream takes records right now."""
        bus = self._bus()
        if not bus.up:
            return False
        try:
            found = bus.run(bus.bus.js.stream_info(AUDIT), ASK_SECONDS)
        except Exception as problem:  # noqa: BLE001 - whatever it is, it does not answer
            _log.warning("audit does not answer", problem=str(problem) or type(problem).__name__)
            return False
        limit = found.config.max_bytes or 0
        return limit <= 0 or found.state.bytes < limit * 0.99

    def kept(
        self, path: str, request: Any, answer: Any, error: TongbanError | None, rpc: grpc.ServicerContext
    ) -> TongbanError | None:
        """Keep the record of the current call, if it is to have one; returns what must be answered instead if that fails."""
        call = context.current()
        marks = call.marks or {}
        reading = call.method.startswith(READING)
        opened = error is None and (marks.get("level", "0") != "0" or KEEP in marks)
        if reading and not opened and not isinstance(error, _ALWAYS):
            return None
        if isinstance(request, First):
            request = request.message
        about = {name: value for name, value in marks.items() if name != KEEP}
        wanted = about.pop("object", "") or self._object(path, request, answer)
        try:
            self._keep(call, call.method, wanted, error or "OK", rpc.peer(), about)
        except OSError as problem:
            _log.error("audit record not kept", problem=str(problem), action=call.method)
            return _not_kept()
        return None

    def record(
        self, action: str, result: str | TongbanError = "OK", *, about: str = "", **details: object
    ) -> None:
        """Keep a record of something that is no call through a door, of the current call's person.

        result: "OK", the error by which it ended, or a word of its own; then `code` says what kind of outcome that is.
        Raises Unavailable when the disk does not take it.
        """
        more = {name: str(value)[:_LONGEST] for name, value in details.items() if value not in ("", None)}
        call = context.current()
        try:
            self._keep(call, action, about, result, more.pop("peer", ""), more)
        except OSError as problem:
            _log.error("audit record not kept", problem=str(problem), action=action)
            raise _not_kept() from problem

    def record_if_possible(self, action: str, result: str | TongbanError, **facts: Any) -> bool:
        """`record` of what happens in any case, such as a refusal; whether the disk took it, of which the log speaks otherwise."""
        try:
            self.record(action, result, **facts)
        except Unavailable:
            return False
        return True

    def close(self) -> None:
        """Part of a graceful stop, before the bus is closed."""
        if "spool" in vars(self):
            self.spool.close()

    def _keep(
        self,
        call: context.Call,
        action: str,
        about: str,
        result: str | TongbanError,
        peer: str,
        marks: dict[str, str],
    ) -> None:
        who = call.principal or _NOBODY
        at = marks.pop("at_ms", "")
        code = marks.pop("code", "")
        if isinstance(result, TongbanError):
            code, result = result.code.name, result.reason
        record = pb.AuditRecord(
            id=marks.pop("id", "") or self.spool.next_id(),
            service=marks.pop("service", "") or self._settings.service,
            action=action, object=about[:_LONGEST],
            person=marks.pop("person", who.person), name=marks.pop("name", who.name or who.username),
            unit=marks.pop("unit", who.unit), on_behalf_of=marks.pop("on_behalf_of", ""),
            session=marks.pop("session", who.session),
            address=marks.pop("address", call.address) or _host(peer), peer=peer, result=result, code=code,
            request_id=call.request_id, trace=call.traceparent[3:35], acting_service=marks.pop("acting_service", who.service),
            level=int(marks.pop("level", "0")), details=marks,
        )  # fmt: skip
        nanos = int(at) * 1_000_000 if at else time.time_ns()
        record.at.seconds, record.at.nanos = nanos // 1_000_000_000, nanos % 1_000_000_000
        self.spool.append(record.SerializeToString())

    def _ship(self, records: list[bytes]) -> None:
        """Hand records over to the stream in one message; returns once it has them."""
        bus = self._bus()
        if not bus.up:
            raise _AWAY
        data = b"".join(b"\x0a" + _varint(len(one)) + one for one in records)
        first = pb.AuditRecord.FromString(records[0]).id
        # The same records under the same name are stored once; in what is sent anew the chain finds each record by its id.
        name = first if len(records) == 1 else f"{first}+{len(records)}"
        subject = f"audit.v1.{self._settings.service}"
        bus.run(bus.bus.js.publish(subject, data, timeout=5, stream=AUDIT, headers={"Nats-Msg-Id": name}), 6)

    def _object(self, path: str, request: Any, answer: Any) -> str:
        find = self._objects.get(path)
        if find is None:
            find = self._objects[path] = object_of(path)
        try:
            return find(request, answer)
        except AttributeError:
            return ""


def _host(peer: str) -> str:
    """ipv4:10.0.0.1:1234 → 10.0.0.1."""
    kind, _, rest = peer.partition(":")
    return rest.rpartition(":")[0].replace("%5B", "").replace("%5D", "") if kind in ("ipv4", "ipv6") else ""


def _varint(number: int) -> bytes:
    out = bytearray()
    while number > 127:
        out.append(number & 127 | 128)
        number >>= 7
    out.append(number)
    return bytes(out)


def _not_kept() -> Unavailable:
    return Unavailable(
        "AUDIT_UNAVAILABLE", "审计记录暂时无法保存，请稍后再试。", "The audit record could not be kept."
    )


_NOBODY = Principal("")
_AWAY = ConnectionError("the broker is away")
