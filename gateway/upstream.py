"""Calls of routes: chassis' client over methods that are known by their descriptors only."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import grpc
from google.protobuf.descriptor import ServiceDescriptor
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass

from chassis.client import Client
from gateway.routes import Route, Routes


class Upstream:
    """The services behind a table of routes."""

    def __init__(self, routes: Routes) -> None:
        services = {route.method.containing_service.full_name: route for route in routes.all}
        self._clients = {
            name: Client(route.unit, _stub_maker(route.method.containing_service))
            for name, route in services.items()
        }

    def call(self, route: Route, request: Message, seconds: float | None = None) -> Any:
        """The answer of one call, or an iterator of answers.

        Raises chassis.errors types.
        """
        client = self._clients[route.method.containing_service.full_name]
        return getattr(client, route.method.name)(request, seconds)


def _stub_maker(service: ServiceDescriptor) -> Any:
    def make(channel: grpc.Channel) -> SimpleNamespace:
        stub = SimpleNamespace()
        for method in service.methods:
            if method.client_streaming:
                continue
            open_method = channel.unary_stream if method.server_streaming else channel.unary_unary
            rpc = open_method(
                f"/{service.full_name}/{method.name}",
                request_serializer=GetMessageClass(method.input_type).SerializeToString,
                response_deserializer=GetMessageClass(method.output_type).FromString,
            )
            setattr(stub, method.name, rpc)
        return stub

    return make
