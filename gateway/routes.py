"""The table of REST routes, read out of the compiled .proto files.

Every method with a google.api.http option, in every package tongban.*.v1.
"""

from __future__ import annotations

import importlib
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from types import ModuleType
from typing import Any

import tongban
from google.api import annotations_pb2
from google.api.http_pb2 import HttpRule
from google.api.httpbody_pb2 import HttpBody
from google.protobuf.descriptor import FieldDescriptor, FileDescriptor, MethodDescriptor
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass

from gateway.path_templates import PathTemplate, parse

UNSAFE = frozenset({"POST", "PUT", "PATCH", "DELETE"})


class BadRoute(ValueError):
    """A google.api.http option contradicts its messages."""


@dataclass(frozen=True)
class Route:
    """One HTTP method and path of one RPC. `body`: "*", a field's name, or "" for none."""

    verb: str
    template: PathTemplate
    body: str
    response_body: str
    method: MethodDescriptor

    @property
    def unit(self) -> str:
        """The unit that serves it, by its package: tongban.tasks.v1 → tasks."""
        return self.method.containing_service.file.package.split(".")[1]

    @cached_property
    def request(self) -> type[Message]:
        """The class of its request."""
        return GetMessageClass(self.method.input_type)

    @property
    def streaming(self) -> bool:
        """Whether the answer is a stream of google.api.HttpBody."""
        return bool(self.method.server_streaming)

    @property
    def unsafe(self) -> bool:
        """Whether it may change something."""
        return self.verb in UNSAFE

    def has_field(self, name: str) -> bool:
        """Whether the request has this field."""
        return name in self.method.input_type.fields_by_name


class Routes:
    """All routes, ready for look-up."""

    def __init__(self, routes: Iterable[Route]) -> None:
        self.all = sorted(
            routes, key=lambda route: (route.template.specificity, route.template.text, route.verb)
        )
        seen: set[tuple[str, str]] = set()
        self._buckets: dict[tuple[str, ...], list[Route]] = defaultdict(list)
        for route in self.all:
            mark = (route.verb, route.template.pattern)
            if mark in seen:
                raise BadRoute(f"{route.verb} {route.template.text} is mapped twice")
            seen.add(mark)
            self._buckets[_bucket(route.template.segments)].append(route)

    def find(self, verb: str, path: str) -> tuple[Route, dict[str, str]] | None:
        """The route for a request, and the values in its path; `path` is still percent-encoded.

        Raises path_templates.BadPath.
        """
        for route in self._candidates(path):
            if route.verb == verb and (values := route.template.match(path)) is not None:
                return route, values
        return None

    def verbs(self, path: str) -> list[str]:
        """The HTTP methods that this path knows."""
        return sorted(
            {route.verb for route in self._candidates(path) if route.template.match(path) is not None}
        )

    def _candidates(self, path: str) -> list[Route]:
        return self._buckets.get(_bucket(path.split("/")[1:]), [])


def _bucket(segments: Iterable[str]) -> tuple[str, ...]:
    """/api/v1/<service> – so far every path of ours is fixed."""
    return tuple(list(segments)[:3])


def load() -> Routes:
    """The routes of everything that was generated."""
    return Routes(route for module in _modules() for route in of_file(module.DESCRIPTOR))


def of_file(file: FileDescriptor) -> Iterator[Route]:
    """The routes of one .proto file."""
    for service in file.services_by_name.values():
        for method in service.methods:
            if not method.GetOptions().HasExtension(annotations_pb2.http):
                continue
            rule = method.GetOptions().Extensions[annotations_pb2.http]
            for binding in (rule, *rule.additional_bindings):
                yield _route(method, binding)


def _modules() -> Iterator[ModuleType]:
    # The generated folders are namespace packages, which pkgutil does not walk through.
    # A folder that stands twice on the import path stands twice in theirs.
    for root in map(Path, dict.fromkeys(tongban.__path__)):
        for path in sorted(root.rglob("*_pb2.py")):
            yield importlib.import_module(
                ".".join(["tongban", *path.relative_to(root).with_suffix("").parts])
            )


def _route(method: MethodDescriptor, rule: HttpRule) -> Route:
    where = method.full_name
    kind = rule.WhichOneof("pattern")
    if kind == "custom" or kind is None:
        raise BadRoute(f"{where}: only get, post, put, patch and delete are mapped")
    if method.client_streaming:
        raise BadRoute(f"{where}: a stream from the client has no HTTP form here")
    if method.server_streaming and method.output_type.full_name != HttpBody.DESCRIPTOR.full_name:
        raise BadRoute(f"{where}: only streams of google.api.HttpBody are mapped")
    template = parse(getattr(rule, kind))
    for variable in template.variables:
        if field_of(method.input_type, variable.field) is None:
            raise BadRoute(f"{where}: {variable.field} is no single field of {method.input_type.name}")
    if rule.body not in ("", "*") and rule.body not in method.input_type.fields_by_name:
        raise BadRoute(f"{where}: body {rule.body} is no field of {method.input_type.name}")
    if rule.response_body and rule.response_body not in method.output_type.fields_by_name:
        raise BadRoute(
            f"{where}: response_body {rule.response_body} is no field of {method.output_type.name}"
        )
    return Route(kind.upper(), template, rule.body, rule.response_body, method)


def field_of(message: Any, path: str) -> FieldDescriptor | None:
    """The field that a dotted path leads to, when each step is single and the last one is no message."""
    *parents, last = path.split(".")
    for name in parents:
        step = message.fields_by_name.get(name)
        if step is None or step.is_repeated or step.message_type is None:
            return None
        message = step.message_type
    field: FieldDescriptor | None = message.fields_by_name.get(last)
    return None if field is None or field.is_repeated or field.message_type is not None else field
