"""Messages, fields and enums as JSON Schema, in the form in which gateway.transcode reads and writes them."""

from __future__ import annotations

from typing import Any

from google.protobuf.descriptor import Descriptor, EnumDescriptor, FieldDescriptor

from gateway.comments import Comments

_F = FieldDescriptor
_SCALARS: dict[int, dict[str, Any]] = {
    _F.TYPE_DOUBLE: {"type": "number", "format": "double"},
    _F.TYPE_FLOAT: {"type": "number", "format": "float"},
    _F.TYPE_BOOL: {"type": "boolean"},
    _F.TYPE_STRING: {"type": "string"},
    _F.TYPE_BYTES: {"type": "string", "contentEncoding": "base64"},
}
_SCALARS |= {
    kind: {"type": "integer", "format": "int32"}
    for kind in (_F.TYPE_INT32, _F.TYPE_SINT32, _F.TYPE_SFIXED32, _F.TYPE_UINT32, _F.TYPE_FIXED32)
}
_SCALARS |= {
    kind: {"type": "string", "format": "int64", "pattern": "^-?[0-9]{1,20}$"}
    for kind in (_F.TYPE_INT64, _F.TYPE_SINT64, _F.TYPE_SFIXED64, _F.TYPE_UINT64, _F.TYPE_FIXED64)
}
_KNOWN: dict[str, dict[str, Any]] = {
    "google.protobuf.Timestamp": {"type": "string", "format": "date-time"},
    "google.protobuf.Duration": {"type": "string", "pattern": "^-?[0-9]+(\\.[0-9]+)?s$"},
    "google.protobuf.FieldMask": {"type": "string"},
    "google.protobuf.Struct": {"type": "object"},
    "google.protobuf.Value": {},
    "google.protobuf.ListValue": {"type": "array"},
    "google.protobuf.Empty": {"type": "object"},
}


class Schemas:
    """Makes schemas, and collects those that others refer to.

    named: name → schema of the messages and enums met so far.
    """

    def __init__(self, comments: Comments) -> None:
        self._comments = comments
        self.named: dict[str, Any] = {}

    def ref(self, message: Descriptor) -> dict[str, Any]:
        """The schema of a message, by reference."""
        if message.full_name in _KNOWN:
            return dict(_KNOWN[message.full_name])
        name = message.full_name.removeprefix("tongban.")
        if name not in self.named:
            # Stands here while its own fields are described: messages may be recursive.
            self.named[name] = {}
            self.named[name] = self.object(message, without=set())
        return {"$ref": f"#/components/schemas/{name}"}

    def object(self, message: Descriptor, without: set[str]) -> dict[str, Any]:
        """The schema of a message in full, without these fields."""
        fields = [field for field in message.fields if field.name not in without]
        found: dict[str, Any] = {
            "type": "object",
            "properties": {field.name: self._described(field) for field in fields},
            "additionalProperties": False,
        }
        if text := self._comments.of(message.full_name):
            found["description"] = text
        return found

    def _described(self, field: FieldDescriptor) -> dict[str, Any]:
        text = self._comments.of(field.full_name)
        schema = self.field(field)
        return {**schema, "description": text} if text else schema

    def field(self, field: FieldDescriptor) -> dict[str, Any]:
        """The schema of one field's value."""
        if field.message_type is not None and field.message_type.GetOptions().map_entry:
            value = field.message_type.fields_by_name["value"]
            return {"type": "object", "additionalProperties": self._one(value)}
        if field.is_repeated:
            return {"type": "array", "items": self._one(field)}
        return self._one(field)

    def _one(self, field: FieldDescriptor) -> dict[str, Any]:
        if field.enum_type is not None:
            return self._enum(field.enum_type)
        if field.message_type is not None:
            return self.ref(field.message_type)
        return dict(_SCALARS[field.type])

    def _enum(self, enum: EnumDescriptor) -> dict[str, Any]:
        name = enum.full_name.removeprefix("tongban.")
        self.named.setdefault(name, {"type": "string", "enum": [value.name for value in enum.values]})
        return {"$ref": f"#/components/schemas/{name}"}
