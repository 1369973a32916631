"""docs/rights.md is true: every method of every service in deploy/units.toml, called as every role and as every service."""

from __future__ import annotations

import importlib
from dataclasses import replace

import grpc
import pytest
from google.protobuf.message_factory import GetMessageClass

from chassis.errors import from_rpc_error
from chassis.health import Health
from chassis.identity_types import Principal
from chassis.parts import Parts
from chassis.server import build
from chassis.settings import Settings
from chassis.words import POSTS, REALM_ROLES
from deploy.local.cache import tools
from tests.inprocess import PlainVerifier, directory_of
from tests.rules import rights_table, tree

pytestmark = [pytest.mark.integration, pytest.mark.timeout(120)]
SERVICES = ("portal", "knowledge", "documents")
# One person for each role, with that role and nothing else; somebody without any; some services.
PEOPLE = {
    **{role: Principal("p1", username="p1", posts=(f"fgw:{role}",)) for role in POSTS},
    **{role: Principal("p1", username="p1", roles=frozenset({role})) for role in REALM_ROLES},
    "nobody": Principal("p1", username="p1"),
    **{f"service:{unit}": Principal("s1", service=unit) for unit in SERVICES},
}
UNITS = [("fgw", "发展和改革局", "", "organisation")]


class Known(PlainVerifier):
    """Tokens are the names above."""

    def verify(self, token):
        return PEOPLE.get(token) or super().verify(token)


@pytest.fixture(scope="module", params=rights_table.listed(), ids=lambda unit: unit.name)
def door(request, engines, tmp_path_factory):
    """(unit, a channel to its real server): store and broker are real, the directory stands still."""
    unit, folder = request.param, tmp_path_factory.mktemp(request.param.name)
    service = importlib.import_module(f"{unit.module}.__main__").SERVICE
    for secret in ("vault-key", f"svc-{unit.name}"):
        (folder / secret).write_text("k" * 43)
    settings = Settings(
        service=f"{unit.name}rights", process="test", public_url="https://test.local", mongo_uri=engines["mongo"],
        nats_url=engines["nats"], keycloak_url="http://127.0.0.1:9/id", realm="tongban", var=folder, secrets=folder,
    )  # fmt: skip
    parts = Parts(replace(settings))
    parts.__dict__.update(verifier=Known(), directory=directory_of(UNITS, {"p1": ["fgw:leader"]}))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TONGBAN_FONTS", str(tools().fonts))
        server = build(settings, Known(), service.who, Health({}, {}))
        service.add(parts, server)
        port = server.add_insecure_port("127.0.0.1:0")
        server.start()
        with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
            yield unit, channel
        server.stop(0).wait()
        parts.close()


def reason(channel, method, token):
    """Why a call with an empty request ends: the reason of its error, or OK."""
    shape = ("stream_" if method.client_streaming else "unary_") + (
        "stream" if method.server_streaming else "unary"
    )
    call = getattr(channel, shape)(
        f"/{method.containing_service.full_name}/{method.name}",
        request_serializer=lambda one: one.SerializeToString(), response_deserializer=lambda data: data,
    )  # fmt: skip
    message = GetMessageClass(method.input_type)()
    metadata = [("authorization", f"Bearer {token}")] if token else []
    try:
        answer = call(iter([message]) if method.client_streaming else message, timeout=20, metadata=metadata)
        if method.server_streaming:
            list(answer)
    except grpc.RpcError as problem:
        return from_rpc_error(problem).reason
    return "OK"


def test_the_matrix_says_what_the_doors_do(door):
    """# check 19, 21: a mark lets in, its absence keeps out, for every method and every role"""
    unit, channel = door
    said, asked, wrong = rights_table.cells(rights_table.TABLE.read_text()), 0, []
    titles = {f"service:{one.name}": f"{one.title}服务" for one in rights_table.listed()}
    for method in tree.rpcs()[unit.name]:
        roles, services, _ = said[unit.name, method.name]
        for name in PEOPLE:
            listed = services.split("、")
            may = name in roles or (
                name.startswith("service:") and (titles.get(name) in listed or "各服务" in listed)
            )
            found = reason(channel, method, name)
            asked += 1
            if (found == "NOT_YOUR_ROLE") == may or found in ("NOT_SIGNED_IN", "INTERNAL"):
                wrong.append((method.name, name, found))
        if reason(channel, method, "") != "NOT_SIGNED_IN":
            wrong.append((method.name, "anonymous", "let in"))
        asked += 1
    assert not wrong
    assert {method for one, method in said if one == unit.name} == {
        one.name for one in tree.rpcs()[unit.name]
    }
    print(f"check 19: {unit.name}: {asked} cells of the matrix of rights, 100 % as the page says")


def test_the_three_administrators_have_nothing_in_common_but_looking():
    """# check 21: read from the page itself"""
    said = rights_table.cells(rights_table.TABLE.read_text())
    # To have the chain verified changes nothing in it.
    looking = {"ListApps", "GetApp", "LaunchApp", "ListUnits", "SearchPeople", "StartVerification"}
    business = {unit.name for unit in rights_table.listed() if "person" in unit.roles and unit.path != "/"}
    for (unit, method), (roles, _, _) in said.items():
        three = roles & set(REALM_ROLES)
        assert len(three) <= 1 or method in looking, (unit, method, three)
        assert not (three and unit in business), f"{unit}.{method}: business is nobody's of the three"
        assert (
            "auditor" not in roles
            or method.startswith(("List", "Get", "Read", "Search", "Verify", "Export"))
            or method in looking
        ), f"{unit}.{method}: the auditor only reads"
    granting = {method for (_, method), (roles, _, _) in said.items() if "security_administrator" in roles}
    assert granting - looking == {"SaveRights"} | {
        method for (unit, method), (roles, _, _) in said.items()
        if unit not in ("portal", *business) and "security_administrator" in roles
    }  # fmt: skip
    assert said["portal", "SaveRights"][0] == {"security_administrator"}
    assert said["portal", "SavePeople"][0] == {"system_administrator"}
