"""Who may call what is said for every method, and a method of which it is not said is refused."""

from __future__ import annotations

import itertools
import re
from concurrent import futures

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from chassis.door import Door
from chassis.health import Health
from chassis.identity_types import ANY_SERVICE, SYSTEM_ROLES, Principal
from chassis.settings import Settings
from tests.inprocess import PlainVerifier, token
from tests.rules import tree

POSTS = {"person", "member", "registrar", "head", "leader"}
# Everything that a caller can be at once: whoever is refused under this name is refused under any.
EVERYTHING = token(
    "p1", *(f"fgw:{post}" for post in sorted(POSTS - {"person"})), clearance=3, roles=tuple(SYSTEM_ROLES)
)


@pytest.mark.parametrize("unit", sorted(tree.rpcs()))
def test_every_method_stands_in_the_table_and_the_table_names_no_other(unit):
    methods = [method.name for method in tree.rpcs()[unit]]
    assert len(set(methods)) == len(methods), (
        "the table knows methods by their short names, so these must differ"
    )
    assert set(tree.who(unit)) == set(methods)
    print(f"{unit}: {len(methods)} methods in the table")


@pytest.mark.parametrize("unit", tree.built())
def test_the_table_names_known_callers_only(unit):
    callers = POSTS | SYSTEM_ROLES | {f"service:{name}" for name in (*tree.rpcs(), "gateway")} | {ANY_SERVICE}
    for method, allowed in tree.who(unit).items():
        assert isinstance(allowed, frozenset), method
        assert allowed, f"{method} may be called by nobody"
        assert allowed <= callers, f"{method}: {sorted(allowed - callers)}"


def test_every_caller_that_a_principal_can_have_is_known_here():
    """Should chassis invent a further kind of caller, the tables are looked at again."""
    person = PlainVerifier().verify(EVERYTHING)
    assert person.callers == POSTS | SYSTEM_ROLES
    assert Principal("x", service="tasks", posts=("fgw:leader",), roles=SYSTEM_ROLES).callers == {
        "service:tasks",
        ANY_SERVICE,
    }


class Anything(grpc.GenericRpcHandler):
    """Serves every method of every name and notes that it was reached."""

    def __init__(self):
        self.reached = []

    def service(self, details):
        self.reached.append(details.method)
        shapes = {
            "Single": (grpc.unary_unary_rpc_method_handler, lambda request, rpc: b""),
            "Answers": (grpc.unary_stream_rpc_method_handler, lambda request, rpc: iter([b""])),
            "Upload": (grpc.stream_unary_rpc_method_handler, lambda requests, rpc: b""),
            "Both": (grpc.stream_stream_rpc_method_handler, lambda requests, rpc: iter([b""])),
        }
        make, handler = shapes.get(re.split(r"[./]", details.method)[-1].removeprefix("Un"), shapes["Single"])
        return make(handler)


@pytest.fixture(scope="module")
def door(tmp_path_factory):
    """A real server behind the real Door, in front of handlers that would answer anything."""
    var = tmp_path_factory.mktemp("door")
    settings = Settings("s", "test", "https://t", "", "", "", "tongban", var, var)
    who = {name: frozenset({"person"}) for name in ("Single", "Answers", "Upload", "Both")}
    server = grpc.server(futures.ThreadPoolExecutor(2), interceptors=[Door(settings, PlainVerifier(), who)])
    server.add_generic_rpc_handlers((Anything(),))
    health_pb2_grpc.add_HealthServicer_to_server(Health({}, {}), server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        yield channel
    server.stop(0)


def ask(channel, method, *, as_=None):
    """The code that a call of this method ends with."""
    metadata = [("authorization", f"Bearer {as_}")] if as_ else []
    shape = method.rpartition("/")[2].removeprefix("Un")
    try:
        if shape == "Answers":
            list(channel.unary_stream(method)(b"", timeout=5, metadata=metadata))
        elif shape == "Upload":
            channel.stream_unary(method)(iter([b""]), timeout=5, metadata=metadata)
        elif shape == "Both":
            list(channel.stream_stream(method)(iter([b""]), timeout=5, metadata=metadata))
        else:
            channel.unary_unary(method)(b"", timeout=5, metadata=metadata)
    except grpc.RpcError as problem:
        return problem.code()
    return grpc.StatusCode.OK


@pytest.mark.parametrize("shape", ["Single", "Answers", "Upload", "Both"])
def test_a_method_that_is_missing_from_the_table_is_refused_whoever_calls(door, shape):
    """A method in the table is served; the same one under a name that is not in it is not."""
    assert ask(door, f"/tongban.s.v1.S/{shape}", as_=EVERYTHING) is grpc.StatusCode.OK
    assert ask(door, f"/tongban.s.v1.S/Un{shape}", as_=EVERYTHING) is grpc.StatusCode.PERMISSION_DENIED
    assert ask(door, f"/tongban.s.v1.S/{shape}") is grpc.StatusCode.UNAUTHENTICATED
    assert ask(door, f"/tongban.s.v1.S/{shape}", as_="nonsense") is grpc.StatusCode.UNAUTHENTICATED


@pytest.mark.parametrize(
    "method",
    [
        "/tongban.s.v1.S/single",
        "/tongban.s.v1.S/Single/",
        "/tongban.s.v1.S/Single%20",
        "/tongban.s.v1.S/.Single",
        "/x/ Single",
    ],
)
def test_a_name_that_is_only_similar_is_refused(door, method):
    code = ask(door, method, as_=EVERYTHING)
    assert code in (grpc.StatusCode.PERMISSION_DENIED, grpc.StatusCode.UNIMPLEMENTED)


def test_only_health_is_open(door):
    health = health_pb2_grpc.HealthStub(door)
    assert (
        health.Check(health_pb2.HealthCheckRequest(), timeout=5).status
        == health_pb2.HealthCheckResponse.SERVING
    )
    for method in (
        "/grpc.health.v1.HealthX/Check",
        "/grpc.reflection.v1.ServerReflection/Single",
        "/x/grpc.health.v1.Health/Check",
    ):
        assert ask(door, method) is grpc.StatusCode.UNAUTHENTICATED


def test_no_other_kind_of_caller_gets_in_where_one_is_named(door):
    """The table's names do not spill over: each kind of caller alone, against a method for `person`."""
    kinds = [("fgw:leader",), ()], [(), tuple(SYSTEM_ROLES)]
    codes = {
        (posts, roles): ask(door, "/tongban.s.v1.S/Single", as_=token("p", *posts, roles=roles))
        for posts, roles in itertools.product(*kinds)
    }
    assert {key for key, code in codes.items() if code is grpc.StatusCode.OK} == {
        key for key in codes if key[0]
    }
