"""HTTP ↔ message: path, query and body become the request's fields, the answer becomes JSON."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from google.protobuf import json_format
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message

from gateway import strict_json
from gateway.routes import Route
from gateway.strict_json import bad_field

_F = FieldDescriptor


def build(route: Route, path: dict[str, str], query: Iterable[tuple[str, str]], body: bytes) -> Message:
    """The request of an RPC from the three places where its fields may stand.

    Raises InvalidInput with the field.
    """
    value = _from_body(route, body)
    pairs = list(query)
    if pairs and route.body == "*":
        raise bad_field(strict_json.clean(pairs[0][0]), "参数应放在请求体中")
    _add_query(value, route, pairs)
    for name, text in path.items():
        _put(value, name, _single(route.method.input_type, name, text), name)
    message = route.request()
    strict_json.fill(message, value)
    return message


def to_json(route: Route, answer: Message) -> str:
    """The answer of an RPC as JSON; every field of it is present, also when empty."""
    value: Any = json_format.MessageToDict(
        answer, preserving_proto_field_name=True, always_print_fields_with_no_presence=True
    )
    if route.response_body:
        value = value.get(route.response_body)
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _from_body(route: Route, body: bytes) -> dict[str, Any]:
    if not route.body:
        if body.strip():
            raise bad_field("", "此操作不接受请求体")
        return {}
    content = strict_json.loads(body) if body.strip() else {}
    if route.body != "*":
        return {route.body: content}
    if not isinstance(content, dict):
        raise bad_field("", "应为对象")
    return content


def _add_query(value: dict[str, Any], route: Route, pairs: list[tuple[str, str]]) -> None:
    message = route.method.input_type
    bound = {variable.field for variable in route.template.variables}
    for name, text in pairs:
        field = _leaf(message, name)
        shown = strict_json.clean(name)
        if field is None or name in bound or (route.body and name.split(".")[0] == route.body):
            raise bad_field(shown, "没有这个参数")
        if field.is_repeated:
            _list_at(value, name).append(_converted(field, text, shown))
        else:
            _put(value, name, _converted(field, text, shown), shown)


def _leaf(message: Any, path: str) -> FieldDescriptor | None:
    """The field that a query parameter names: a scalar, an enum, a time, or a repeated one of these."""
    *parents, last = path.split(".")
    for name in parents:
        step = message.fields_by_name.get(name)
        if step is None or step.is_repeated or step.message_type is None:
            return None
        message = step.message_type
    field: FieldDescriptor | None = message.fields_by_name.get(last)
    if field is None or (field.message_type is not None and not strict_json.is_scalar(field.message_type)):
        return None
    return field


def _single(message: Any, path: str, text: str) -> Any:
    field = _leaf(message, path)
    if field is None:
        raise AssertionError(f"routes checked that {path} is a field")
    return _converted(field, text, path)


def _converted(field: FieldDescriptor, text: str, name: str) -> Any:
    """A parameter's text as the JSON value that its field takes."""
    try:
        if field.cpp_type == _F.CPPTYPE_BOOL:
            return {"true": True, "false": False}[text]
        if field.cpp_type in (_F.CPPTYPE_FLOAT, _F.CPPTYPE_DOUBLE):
            return float(text)
        if field.cpp_type == _F.CPPTYPE_ENUM and text.isdecimal() and text.isascii():
            return int(text[:12])
    except (KeyError, ValueError) as problem:
        raise bad_field(name, "内容不符合字段的类型") from problem
    return text


def _put(value: dict[str, Any], path: str, item: Any, shown: str) -> None:
    target, last = _parent(value, path)
    if target.get(last, item) != item:
        raise bad_field(shown, "同一字段出现多次")
    target[last] = item


def _list_at(value: dict[str, Any], path: str) -> list[Any]:
    target, last = _parent(value, path)
    found = target.setdefault(last, [])
    if not isinstance(found, list):
        raise bad_field(path, "同一字段出现多次")
    return found


def _parent(value: dict[str, Any], path: str) -> tuple[dict[str, Any], str]:
    *parents, last = path.split(".")
    for name in parents:
        value = value.setdefault(name, {})
        if not isinstance(value, dict):
            raise bad_field(path, "应为对象")
    return value, last
