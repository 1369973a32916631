"""The running platform from the inside: its settings, its gRPC doors, its methods."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Protocol

import grpc
import jwt
from google.api import annotations_pb2
from google.protobuf.message_factory import GetMessageClass

from chassis import tls
from chassis.settings import Settings
from deploy.local.stack import Stack
from tests.rules import tree


class Platform(Protocol):
    """A platform that runs, whoever started it: known by the environment of its processes."""

    @property
    def env(self) -> dict[str, str]: ...


def settings_of(platform: Platform) -> Settings:
    """The settings of a process of this platform."""
    env = platform.env
    return Settings(
        service="demo", process="test", public_url=env["TONGBAN_PUBLIC_URL"], mongo_uri=env["TONGBAN_MONGO_URI"],
        nats_url=env["TONGBAN_NATS_URL"], keycloak_url=env["TONGBAN_KEYCLOAK_URL"], realm=env["TONGBAN_REALM"],
        var=Path(env["TONGBAN_VAR"]), secrets=Path(env["TONGBAN_SECRETS"]),
    )  # fmt: skip


def subject(token: str) -> str:
    """The id of the person whom this access token names; the token itself is not verified."""
    return str(jwt.decode(token, options={"verify_signature": False})["sub"])


def channel(stack: Stack, unit: str, as_: str = "demo", address: str = "") -> grpc.Channel:
    """A channel to the unit's gRPC server, or to another one at `address` that passes for it.

    With the certificate of the demonstration's loader, whom all admit, or of a unit.
    """
    own = tls.Identity(Path(stack.env["TONGBAN_CERTIFICATES"]), as_)
    return tls.open_channel(address or stack.env[f"TONGBAN_GRPC_{unit.upper()}"], unit, [], own)


class Doors:
    """One channel to each unit's gRPC server."""

    def __init__(self, stack: Stack, as_: str = "demo") -> None:
        self.units = tree.built()
        self._channels = {unit: channel(stack, unit, as_) for unit in self.units}

    def methods(self) -> Iterator[tuple[str, Any]]:
        """(unit, method) of every RPC of every unit."""
        for unit in self.units:
            for method in tree.rpcs()[unit]:
                yield unit, method

    def ask(
        self, unit: str, method: Any, metadata: list[tuple[str, str]], request: Any = None
    ) -> grpc.StatusCode:
        """The code with which a call ends; without a request it carries an empty one."""
        message = request if request is not None else GetMessageClass(method.input_type)()
        if "request_id" in message.DESCRIPTOR.fields_by_name and not message.request_id:
            message.request_id = uuid.uuid4().hex
        path = f"/{method.containing_service.full_name}/{method.name}"
        shape = ("stream_" if method.client_streaming else "unary_") + (
            "stream" if method.server_streaming else "unary"
        )
        channel = self._channels[unit]
        call = getattr(channel, shape)(
            path,
            request_serializer=lambda one: one.SerializeToString(),
            response_deserializer=lambda data: data,
        )
        try:
            answer = call(
                iter([message]) if method.client_streaming else message, timeout=15, metadata=metadata
            )
            if method.server_streaming:
                list(answer)
        except grpc.RpcError as problem:
            return problem.code()
        return grpc.StatusCode.OK

    def close(self) -> None:
        for channel in self._channels.values():
            channel.close()


def reading(unit: str) -> Any:
    """A method of the unit that lists without needing anything: what a valid token of whom it is for opens at once."""
    who = tree.who(unit)
    methods = [method for method in tree.rpcs()[unit] if method.name.startswith(("List", "Search"))]
    methods.sort(key=lambda method: "person" not in who[method.name])
    return next(
        method
        for method in methods
        if (path := method.GetOptions().Extensions[annotations_pb2.http].get) and "{" not in path
    )
