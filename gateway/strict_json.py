"""JSON of strangers → a message, without any leniency.

Refused: duplicate keys, NaN and Infinity, lone surrogates, NUL, depth over 64, unknown fields, camelCase
aliases, a value of another kind than the field's, and keys of maps that mean something to MongoDB. Each
refusal names its field.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

from google.protobuf import json_format
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message

from chassis.errors import InvalidInput

MAX_DEPTH = 64
MAX_STRINGS = 100_000  # names and values; more would keep a worker busy for longer than anybody may
MAX_OBJECTS = 50_000
_BAD_CHARACTER = re.compile("[\x00\ud800-\udfff]")
_INTEGER = re.compile(r"-?[0-9]{1,20}")
_BASE64 = re.compile(r"[A-Za-z0-9+/_-]*={0,2}")
_OPERATOR = re.compile(r"^\$|[.\x00]")
# Messages whose JSON form is a scalar or free form; json_format checks these itself.
_SCALAR_MESSAGES = frozenset(
    f"google.protobuf.{name}"
    for name in (
        "Timestamp", "Duration", "FieldMask", "BoolValue", "StringValue", "BytesValue", "Int32Value",
        "Int64Value", "UInt32Value", "UInt64Value", "FloatValue", "DoubleValue",
    )
)  # fmt: skip
_FREE_MESSAGES = frozenset({"google.protobuf.Struct", "google.protobuf.Value", "google.protobuf.ListValue"})

_F = FieldDescriptor


def bad_field(path: str, sentence: str) -> InvalidInput:
    """The refusal of one field."""
    return InvalidInput(
        "INVALID_INPUT", f"{path or '请求体'}：{sentence}", f"Invalid: {path or 'body'}", {path: sentence}
    )


def loads(body: bytes) -> Any:
    """The value of a JSON text.

    Raises InvalidInput.
    """
    strings = (body.count(b'"') - body.count(b'\\"')) // 2
    if strings > MAX_STRINGS or body.count(b"{") > MAX_OBJECTS:
        raise bad_field("", "内容过多，请分次提交")
    try:
        return json.loads(body.decode("utf-8"), object_pairs_hook=_unique, parse_constant=_no_constant)
    except InvalidInput:
        raise
    except RecursionError as problem:
        raise bad_field("", f"嵌套超过 {MAX_DEPTH} 层") from problem
    except (UnicodeDecodeError, ValueError) as problem:
        raise bad_field("", "不是有效的 JSON") from problem


def fill(message: Message, value: Any) -> None:
    """Set the fields of `message` from a parsed JSON object.

    Raises InvalidInput with the path of the first bad field.
    """
    _check_message(value, message.DESCRIPTOR, "", 0)
    try:
        json_format.ParseDict(value, message, max_recursion_depth=MAX_DEPTH + 1)
    except json_format.ParseError as problem:
        raise bad_field(_path_of(problem, message), "内容不符合字段的类型") from problem


def is_scalar(message: Descriptor) -> bool:
    """Whether a message is one value in JSON, such as a time."""
    return message.full_name in _SCALAR_MESSAGES


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1) if len(names) < 1000 else ""
        raise bad_field(clean(twice), "同一字段出现多次")
    return found


def _no_constant(name: str) -> Any:
    raise bad_field("", f"不允许的数值 {name}")


def clean(name: str) -> str:
    """A stranger's field name as it may be repeated to them."""
    return _BAD_CHARACTER.sub("\ufffd", name)[:100]


def _join(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


def _check_message(value: Any, descriptor: Any, path: str, depth: int) -> None:
    if depth > MAX_DEPTH:
        raise bad_field(path[:200], f"嵌套超过 {MAX_DEPTH} 层")
    if descriptor.full_name in _SCALAR_MESSAGES:
        if isinstance(value, dict | list):
            raise bad_field(path, "应为单个值")
        _check_text(value, path)
        return
    if descriptor.full_name in _FREE_MESSAGES:
        _check_free(value, path, depth)
        return
    if not isinstance(value, dict):
        raise bad_field(path, "应为对象")
    for name, item in value.items():
        # The descriptors' own tables cannot even be asked for a lone surrogate.
        field = None if _BAD_CHARACTER.search(name) else descriptor.fields_by_name.get(name)
        if field is None:
            raise bad_field(_join(path, clean(name)), "没有这个字段")
        if item is not None:
            _check_field(item, field, _join(path, name), depth)


def _check_field(value: Any, field: FieldDescriptor, path: str, depth: int) -> None:
    if field.message_type is not None and field.message_type.GetOptions().map_entry:
        if not isinstance(value, dict):
            raise bad_field(path, "应为对象")
        item_field = field.message_type.fields_by_name["value"]
        for key, item in value.items():
            _check_key(key, path)
            _check_one(item, item_field, f"{path}.{key}", depth + 2)
    elif field.is_repeated:
        if not isinstance(value, list):
            raise bad_field(path, "应为数组")
        for index, item in enumerate(value):
            _check_one(item, field, f"{path}[{index}]", depth + 2)
    else:
        _check_one(value, field, path, depth + 1)


def _check_one(value: Any, field: FieldDescriptor, path: str, depth: int) -> None:
    if field.message_type is not None:
        _check_message(value, field.message_type, path, depth)
        return
    _check_text(value, path)
    complaint = _COMPLAINTS[field.cpp_type](value, field)
    if complaint:
        raise bad_field(path, complaint)


def _text_complaint(value: Any, field: FieldDescriptor) -> str:
    if not isinstance(value, str):
        return "应为字符串"
    return "应为 Base64 编码" if field.type == _F.TYPE_BYTES and not _BASE64.fullmatch(value) else ""


def _bool_complaint(value: Any, _field: FieldDescriptor) -> str:
    return "" if isinstance(value, bool) else "应为 true 或 false"


def _enum_complaint(value: Any, field: FieldDescriptor) -> str:
    enum: Any = field.enum_type
    by_name = isinstance(value, str) and value in enum.values_by_name
    by_number = isinstance(value, int) and not isinstance(value, bool) and value in enum.values_by_number
    return "" if by_name or by_number else "不是允许的值"


def _integer_complaint(value: Any, _field: FieldDescriptor) -> str:
    # int64 travels as a string in JSON, because numbers of JavaScript are exact to 2^53 only.
    number = isinstance(value, int) and not isinstance(value, bool)
    return "" if number or (isinstance(value, str) and _INTEGER.fullmatch(value)) else "应为整数"


def _float_complaint(value: Any, _field: FieldDescriptor) -> str:
    return "" if isinstance(value, int | float) and not isinstance(value, bool) else "应为数字"


_COMPLAINTS: dict[int, Callable[[Any, FieldDescriptor], str]] = {
    _F.CPPTYPE_STRING: _text_complaint,
    _F.CPPTYPE_BOOL: _bool_complaint,
    _F.CPPTYPE_ENUM: _enum_complaint,
    _F.CPPTYPE_FLOAT: _float_complaint,
    _F.CPPTYPE_DOUBLE: _float_complaint,
    _F.CPPTYPE_INT32: _integer_complaint,
    _F.CPPTYPE_INT64: _integer_complaint,
    _F.CPPTYPE_UINT32: _integer_complaint,
    _F.CPPTYPE_UINT64: _integer_complaint,
}


def _check_free(value: Any, path: str, depth: int) -> None:
    if depth > MAX_DEPTH:
        raise bad_field(path[:200], f"嵌套超过 {MAX_DEPTH} 层")
    if isinstance(value, dict):
        for key, item in value.items():
            _check_key(key, path)
            _check_free(item, f"{path}.{key}", depth + 1)
    elif isinstance(value, list):
        for index, item in enumerate(value):
            _check_free(item, f"{path}[{index}]", depth + 1)
    else:
        _check_text(value, path)


def _check_key(key: str, path: str) -> None:
    if _OPERATOR.search(key) or _BAD_CHARACTER.search(key):
        raise bad_field(_join(path, clean(key)), "不允许的键名")


def _check_text(value: Any, path: str) -> None:
    if isinstance(value, str) and _BAD_CHARACTER.search(value):
        raise bad_field(path, "含有不允许的字符")


def _path_of(problem: json_format.ParseError, message: Message) -> str:
    """The field of which json_format complains; it says so only in its sentence."""
    found = re.search(r"Failed to parse (\S+) field", str(problem))
    name = found[1] if found else ""
    return name if re.fullmatch(r"[A-Za-z0-9_.\[\]]{1,200}", name) else message.DESCRIPTOR.name
