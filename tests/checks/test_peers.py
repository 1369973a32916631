"""Between processes: whose certificate opens which port, and what somebody reads who listens on the wire."""

from __future__ import annotations

import socket
import threading
from pathlib import Path

import grpc
import pytest
from tongban.tasks.v1 import tasks_pb2, tasks_pb2_grpc

from chassis import tls
from deploy.local import units
from deploy.local.tls import ensure_units
from tests.checks.platform import Doors, reading
from tests.rules import tree

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]


def test_every_service_admits_its_peers_only(stack, people):
    """# check 18: every unit's certificate at every service's port, with a valid token of a person."""
    listed = units.load(tree.ROOT)
    # A person whom the service serves, so that nothing but the certificate can be in the way.
    bearer = {
        unit.name: [
            ("authorization", f"Bearer {people.token('auditor' if unit.name == 'audit' else 'qfb.wenshu')}")
        ]
        for unit in listed
    }
    opened, refused, wrong = 0, 0, []
    for caller in [*(unit.name for unit in listed if not unit.site), units.DEMO]:
        doors = Doors(stack, caller)
        for unit in listed:
            if unit.name not in doors.units:
                continue
            code = doors.ask(unit.name, reading(unit.name), bearer[unit.name])
            admitted = caller in units.peers(unit, listed, demo=True)
            opened, refused = opened + admitted, refused + (not admitted)
            if code is not (grpc.StatusCode.OK if admitted else grpc.StatusCode.PERMISSION_DENIED):
                wrong.append((caller, unit.name, code.name))
        doors.close()
    assert not wrong
    print(
        f"check 18: {opened} pairs admitted as declared, {refused} of {refused} other services' certificates refused"
    )


def test_nobody_gets_in_without_a_certificate_of_the_authority(stack, people, tmp_path):
    """# check 18: at every service's port, with a valid token."""
    ensure_units(tmp_path, ("gateway",), anew=True)
    folder, tries = Path(stack.env["TONGBAN_CERTIFICATES"]), 0
    authority = (folder / "ca.crt").read_bytes()
    _, key, certificate = tls.Identity(tmp_path, "gateway").pieces()
    bearer = [("authorization", f"Bearer {people.token('qfb.wenshu')}")]
    for unit in tree.built():
        address = stack.env[f"TONGBAN_GRPC_{unit.upper()}"]
        named = [("grpc.ssl_target_name_override", unit)]
        for channel in (
            grpc.insecure_channel(address),
            grpc.secure_channel(address, grpc.ssl_channel_credentials(authority), named),
            grpc.secure_channel(address, grpc.ssl_channel_credentials(authority, key, certificate), named),
        ):
            method = reading(unit)
            call = channel.unary_unary(f"/{method.containing_service.full_name}/{method.name}")
            with channel, pytest.raises(grpc.RpcError) as caught:
                call(b"", timeout=10, metadata=bearer)
            assert caught.value.code() is grpc.StatusCode.UNAVAILABLE
            tries += 1
    print(f"check 18: in clear, without and with a foreign certificate: {tries} of {tries} refused")


def test_keys_are_readable_by_their_owner_only(stack):
    folder = Path(stack.env["TONGBAN_CERTIFICATES"])
    open_to_others = [
        path.name for path in folder.glob("*") if path.suffix != ".crt" and path.stat().st_mode & 0o077
    ]
    assert not open_to_others
    assert folder.stat().st_mode & 0o077 == 0


class Tap:
    """Listens on the wire between a caller and a service; `heard` is all that went over it, both ways."""

    def __init__(self, target: str) -> None:
        host, _, port = target.rpartition(":")
        self._target = host, int(port)
        self.heard = bytearray()
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self._socket.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        try:
            while True:
                near, _ = self._socket.accept()
                far = socket.create_connection(self._target)
                for ends in ((near, far), (far, near)):
                    threading.Thread(target=self._carry, args=ends, daemon=True).start()
        except OSError:
            return  # closed

    def _carry(self, source: socket.socket, sink: socket.socket) -> None:
        try:
            while data := source.recv(65536):
                self.heard += data
                sink.sendall(data)
        except OSError:
            pass  # one end hung up
        sink.close()

    def close(self) -> None:
        self._socket.close()


def test_who_listens_between_services_reads_nothing(stack, people):
    """# check 89: gRPC; what goes over the wire is compared with what was said."""
    token, title = people.token("qfb.wenshu"), "一个不该在线路上读到的标题"
    request = tasks_pb2.CreateTaskRequest(request_id="tap-0123456789", title=title)
    tap = Tap(stack.env["TONGBAN_GRPC_TASKS"])
    own = tls.Identity(Path(stack.env["TONGBAN_CERTIFICATES"]), "demo")
    with tls.open_channel(tap.address, "tasks", [], own) as channel:
        stub = tasks_pb2_grpc.TaskServiceStub(channel)
        # Refused for what it lacks: it has been read over there, and that is all that is wanted here.
        with pytest.raises(grpc.RpcError, match="INVALID_ARGUMENT"):
            stub.CreateTask(request, timeout=15, metadata=[("authorization", f"Bearer {token}")])
        stub.GetTodoCount(
            tasks_pb2.GetTodoCountRequest(), timeout=15, metadata=[("authorization", f"Bearer {token}")]
        )
    tap.close()
    heard = bytes(tap.heard)
    assert len(heard) > 2000, "the tap heard the calls"
    secrets = {"token": token.encode(), "its claims": token.split(".")[1].encode(), "title": title.encode(),
               "method": b"GetTodoCount", "header": b"authorization"}  # fmt: skip
    assert not [name for name, secret in secrets.items() if secret in heard]
    print(
        f"check 89: {len(heard)} bytes heard between two processes, of {len(secrets)} things said 0 in clear"
    )
