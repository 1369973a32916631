"""Every method of every service behind its real door: what changes, is refused or opens something classified is on record, once."""

from __future__ import annotations

import itertools
from concurrent import futures

import grpc
import pytest
from google.protobuf.message_factory import GetMessageClass
from tongban.events.v1 import audit_pb2

from chassis import audit, context, origin
from chassis.audit import READING, Audit
from chassis.door import Door
from chassis.errors import forbidden, from_rpc_error, not_found
from chassis.settings import Settings
from chassis.spool import frames
from tests.inprocess import PlainVerifier, token
from tests.rules import tree

KEY = "k" * 43
POSTS = ("member", "registrar", "head", "leader")
ROLES = ("system_administrator", "security_administrator", "auditor")
CODES = {
    "OK": "", "NOT_SIGNED_IN": "UNAUTHENTICATED", "NOT_YOUR_ROLE": "PERMISSION_DENIED", "FORBIDDEN": "PERMISSION_DENIED",
    "NOT_FOUND": "NOT_FOUND", "AUDIT_UNAVAILABLE": "UNAVAILABLE",
}  # fmt: skip


class Away:
    """A broker that is away: what is recorded stays in the spool, where this test reads it."""

    up = False


class Behind(grpc.GenericRpcHandler):
    """Every method of one unit, with its own messages; `acts` is what they do."""

    def __init__(self, unit):
        self.acts = lambda: None
        self._methods = {f"/{one.containing_service.full_name}/{one.name}": one for one in tree.rpcs()[unit]}

    def service(self, details):
        method = self._methods[details.method]
        request, answer = GetMessageClass(method.input_type), GetMessageClass(method.output_type)
        kind = (
            ("stream" if method.client_streaming else "unary")
            + "_"
            + ("stream" if method.server_streaming else "unary")
        )

        def one(given, _rpc):
            if method.client_streaming:
                list(given)
            self.acts()
            return answer()

        def many(given, rpc):
            yield one(given, rpc)

        make = getattr(grpc, f"{kind}_rpc_method_handler")
        return make(many if method.server_streaming else one, request.FromString, answer.SerializeToString)


class Service:
    """One unit's door, and what it records."""

    def __init__(self, unit, var):
        self.settings = Settings(unit, "test", "https://t", "", "", "", "tongban", var, var)
        self.audit = Audit(self.settings, Away)
        self.behind = Behind(unit)
        door = Door(self.settings, PlainVerifier(), tree.who(unit), self.audit)
        self.server = grpc.server(futures.ThreadPoolExecutor(2), interceptors=[door])
        self.server.add_generic_rpc_handlers((self.behind,))
        self.port = self.server.add_insecure_port("127.0.0.1:0")
        self.server.start()
        self.channel = grpc.insecure_channel(f"127.0.0.1:{self.port}")
        self._read = 0

    def call(self, method, who, *metadata):
        """The reason with which a call of this method ends."""
        request = GetMessageClass(method.input_type)()
        for field in method.input_type.fields:
            if field.type == field.TYPE_STRING and not field.is_repeated:
                setattr(request, field.name, f"{field.name}-12345")
        kind = (
            ("stream" if method.client_streaming else "unary")
            + "_"
            + ("stream" if method.server_streaming else "unary")
        )
        path = f"/{method.containing_service.full_name}/{method.name}"
        open_method = getattr(self.channel, kind)(
            path, type(request).SerializeToString, GetMessageClass(method.output_type).FromString
        )
        signed = [("authorization", f"Bearer {who}")] if who else []
        try:
            answer = open_method(
                iter([request]) if method.client_streaming else request,
                timeout=5,
                metadata=[*signed, *metadata],
            )
            if method.server_streaming:
                list(answer)
        except grpc.RpcError as problem:
            return from_rpc_error(problem).reason
        return "OK"

    def new(self):
        """What was recorded since the last question."""
        spool = self.settings.own_var / "audit"
        kept = list(
            itertools.chain.from_iterable(frames(path.read_bytes()) for path in sorted(spool.glob("*")))
        )
        fresh, self._read = kept[self._read :], len(kept)
        return [audit_pb2.AuditRecord.FromString(one) for one in fresh]

    def close(self):
        self.channel.close()
        self.server.stop(0).wait()
        self.audit.close()


@pytest.fixture(params=tree.built())
def service(request, tmp_path):
    (tmp_path / origin.SECRET).write_text(KEY)
    made = Service(request.param, tmp_path)
    yield made
    made.close()


def allowed_and_not(allowed):
    """Tokens of somebody who may call this, and of somebody who may not."""
    posts = [f"fgw:{post}" for post in POSTS if post in allowed]
    if "person" in allowed:
        posts = ["fgw:member"]
    roles = tuple(role for role in ROLES if role in allowed and not posts)
    inside = token("in", *posts, roles=roles) if posts or roles else ""
    outside = token("out", roles=tuple(role for role in ROLES if role not in allowed))
    return inside, outside


def complete(record, unit, method, who, result):
    """Who, what, when, from where, with what result."""
    assert (record.service, record.action, record.result) == (unit, method.name, result)
    assert record.code == CODES[result]
    assert (record.person, record.unit) == who
    assert record.at.seconds > 1_700_000_000
    assert record.address == "127.0.0.1"
    assert record.peer.startswith("ipv4:127.0.0.1:")
    assert record.request_id
    assert record.id


def test_every_method_leaves_one_record_when_it_should(service):
    """# check 74"""
    unit, counts = service.settings.service, {"changed": 0, "refused": 0, "classified": 0, "silent": 0}
    for method in tree.rpcs()[unit]:
        reading = method.name.startswith(READING)
        inside, outside = allowed_and_not(tree.who(unit)[method.name])
        for who, person, reason in (("", ("", ""), "NOT_SIGNED_IN"), (outside, ("out", ""), "NOT_YOUR_ROLE")):
            assert service.call(method, who) == reason
            (record,) = service.new()
            complete(record, unit, method, person, reason)
            counts["refused"] += 1
        if not inside:
            continue
        person = (
            "in",
            "fgw"
            if "posts" in PlainVerifier().verify(inside).__dict__ and PlainVerifier().verify(inside).posts
            else "",
        )
        service.audit.security = frozenset()
        service.behind.acts = lambda: None
        assert service.call(method, inside) == "OK"
        found = service.new()
        if reading:
            assert found == []
            counts["silent"] += 1
        else:
            (record,) = found
            complete(record, unit, method, person, "OK")
            counts["changed"] += 1
        # Within a service: what may not be seen, what may not be done, and what is classified.
        for act, reason in ((_hidden, "NOT_FOUND"), (_refused, "FORBIDDEN"), (_classified, "OK")):
            service.behind.acts = act
            assert service.call(method, inside) == reason
            (record,) = service.new()
            complete(record, unit, method, person, reason)
            counts["classified" if act is _classified else "refused"] += 1
            assert record.level == (2 if act is not _refused else 0)
        # A security operation while nobody would keep its record.
        if method.name in _security(unit):
            service.audit.security = _security(unit)
            service.behind.acts = lambda: pytest.fail("it was carried out")
            assert service.call(method, inside) == "AUDIT_UNAVAILABLE"
            (record,) = service.new()
            complete(record, unit, method, person, "AUDIT_UNAVAILABLE")
            counts["refused"] += 1
    print(f"check 74: {unit}: one record each for {counts['changed']} changes, {counts['refused']} refusals and {counts['classified']} "
          f"classified readings, none for {counts['silent']} others")  # fmt: skip


def _security(unit):
    from tests.rules.test_audit import security

    return security(unit)


def _hidden():
    audit.mark(level=2)
    raise not_found()


def _refused():
    raise forbidden()


def _classified():
    audit.mark(level=2)


def test_the_object_is_an_id_and_nothing_that_somebody_wrote(service):
    unit = service.settings.service
    for method in tree.rpcs()[unit]:
        assert service.call(method, "") == "NOT_SIGNED_IN"
        (record,) = service.new()
        for part in filter(None, record.object.split("/")):
            name = part.removesuffix("-12345")
            assert name in {*audit_things(), "digest", "sequence", "0", "entry"}, (method.name, record.object)


def audit_things():
    from chassis.audit_objects import THINGS

    return THINGS


def test_an_address_is_believed_from_the_platform_only(service):
    """# check 17: a direct caller's own claim is no truth; what was connected is beside it."""
    method = next(one for one in tree.rpcs()[service.settings.service] if not one.client_streaming)
    claim = "10.9.8.7"
    good = origin.stated(claim, "r" * 32, KEY)
    wrong = (
        claim,
        f"{claim};",
        f"{claim};{'0' * 32}",
        origin.stated(claim, "other", KEY),
        origin.stated(claim, "r" * 32, "x"),
        ";",
    )
    for header, address in [(good, claim), *((one, "127.0.0.1") for one in wrong)]:
        service.call(method, "", ("x-request-id", "r" * 32), (origin.HEADER, header), ("x-real-ip", claim))
        (record,) = service.new()
        assert (record.address, record.peer[:15]) == (address, "ipv4:127.0.0.1:")
    print(f"check 17: {len(wrong)} forged addresses, none believed")


def test_a_record_that_cannot_be_kept_holds_the_answer_back(service, monkeypatch):
    """# check 79: the disk does not take it."""
    methods = [one for one in tree.rpcs()[service.settings.service] if not one.name.startswith(READING)]
    for method in methods:
        inside, _ = allowed_and_not(tree.who(service.settings.service)[method.name])
        if inside:
            monkeypatch.setattr(service.audit.spool, "append", _full)
            assert service.call(method, inside) == "AUDIT_UNAVAILABLE"
            monkeypatch.undo()
    assert context.current().principal is None


def _full(_record):
    raise OSError(28, "No space left on device")
