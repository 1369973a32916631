"""The OpenAPI 3.1 description of all routes, made from the same table that serves them."""

from __future__ import annotations

import re
from typing import Any

from google.protobuf.descriptor import Descriptor, FieldDescriptor, MethodDescriptor

from chassis import units
from gateway.comments import Comments
from gateway.problems import TITLES
from gateway.routes import Route, Routes
from gateway.schemas import Schemas
from gateway.strict_json import is_scalar

_PROBLEMS = (400, 401, 403, 404, 409, 412, 413, 422, 429, 500, 503, 504)


def describe(routes: Routes, public_url: str, comments: Comments | None = None) -> dict[str, Any]:
    """The whole description."""
    book = _Book(comments or Comments())
    paths: dict[str, dict[str, Any]] = {}
    for route in routes.all:
        paths.setdefault(route.template.openapi, {})[route.verb.lower()] = book.operation(route)
    names = sorted({route.unit for route in routes.all})
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "同办 开放接口",
            "version": "v1",
            "description": "字段名使用下划线命名；时间为 UTC（RFC 3339）；64 位整数以字符串表示。"
            "写操作可带 Idempotency-Key，重复提交只生效一次；修改可带 If-Match，防止覆盖他人的更新。",
        },
        "servers": [{"url": public_url}],
        "security": [{"session": []}, {"bearer": []}],
        "tags": [{"name": name, "description": units.title(name)} for name in names],
        "paths": paths,
        "components": {
            "schemas": {**book.schemas.named, "Problem": _problem()},
            "responses": {str(status): _problem_response(status) for status in _PROBLEMS},
            "securitySchemes": {
                "session": {"type": "apiKey", "in": "cookie", "name": "__Host-tongban"},
                "bearer": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"},
            },
        },
    }


class _Book:
    """Describes operations, and collects the schemas that they refer to."""

    def __init__(self, comments: Comments) -> None:
        self._comments = comments
        self.schemas = Schemas(comments)
        self._bindings: dict[str, int] = {}

    def operation(self, route: Route) -> dict[str, Any]:
        method = route.method
        text = self._comments.of(method.full_name)
        found: dict[str, Any] = {
            "operationId": self._operation_id(route),
            "tags": [route.unit],
            "summary": text.split("。")[0].split(". ")[0] or _words(method.name),
            "description": text,
            "parameters": self._parameters(route),
            "responses": {"200": self._answer(route)},
        }
        found["responses"] |= {
            str(status): {"$ref": f"#/components/responses/{status}"} for status in _PROBLEMS
        }
        if route.body:
            found["requestBody"] = {
                "required": True,
                "content": {"application/json": {"schema": self._body(route)}},
            }
        return found

    def _operation_id(self, route: Route) -> str:
        method: MethodDescriptor = route.method
        name = f"{route.unit}_{method.containing_service.name}_{method.name}"
        # Further bindings of one method are told apart by their number.
        self._bindings[name] = self._bindings.get(name, 0) + 1
        return name if self._bindings[name] == 1 else f"{name}_{self._bindings[name]}"

    def _parameters(self, route: Route) -> list[dict[str, Any]]:
        message = route.method.input_type
        bound = {variable.field for variable in route.template.variables}
        found: list[dict[str, Any]] = [
            {"name": name, "in": "path", "required": True, "schema": self.schemas.field(_leaf(message, name))}
            for name in sorted(bound)
        ]
        if route.body != "*":
            for name, field in _query_fields(message, "", set()):
                if name not in bound and name.split(".")[0] != route.body:
                    entry: dict[str, Any] = {"name": name, "in": "query", "schema": self.schemas.field(field)}
                    if text := self._comments.of(field.full_name):
                        entry["description"] = text
                    found.append(entry)
        if route.unsafe:
            if route.has_field("request_id"):
                found.append(_header("Idempotency-Key", "请求编号：相同编号只生效一次；缺省时自动生成。"))
            if route.has_field("etag"):
                found.append(_header("If-Match", "读取时得到的 ETag；内容已被更新则返回 412。"))
            found.append(_header("X-CSRF-Token", "使用会话 Cookie 时必填，取自 /auth/me 的 csrf。"))
        return found

    def _body(self, route: Route) -> dict[str, Any]:
        message = route.method.input_type
        if route.body != "*":
            return self.schemas.field(message.fields_by_name[route.body])
        bound = {variable.field for variable in route.template.variables}
        if not bound:
            return self.schemas.ref(message)
        return self.schemas.object(message, without=bound)

    def _answer(self, route: Route) -> dict[str, Any]:
        message = route.method.output_type
        if route.streaming:
            return {
                "description": "文件内容",
                "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}},
            }
        schema = (
            self.schemas.field(message.fields_by_name[route.response_body])
            if route.response_body
            else self.schemas.ref(message)
        )
        return {"description": "成功", "content": {"application/json": {"schema": schema}}}


def _leaf(message: Any, path: str) -> FieldDescriptor:
    *parents, last = path.split(".")
    for name in parents:
        message = message.fields_by_name[name].message_type
    field: FieldDescriptor = message.fields_by_name[last]
    return field


def _query_fields(message: Descriptor, prefix: str, above: set[str]) -> list[tuple[str, FieldDescriptor]]:
    """Every parameter that transcode would accept; a message inside itself is left out."""
    found: list[tuple[str, FieldDescriptor]] = []
    for field in message.fields:
        inner = field.message_type
        if inner is None or is_scalar(inner):
            found.append((prefix + field.name, field))
        elif (
            not field.is_repeated
            and inner.full_name not in above
            and not inner.full_name.startswith("google.")
        ):
            found += _query_fields(inner, f"{prefix}{field.name}.", above | {message.full_name})
    return found


def _header(name: str, text: str) -> dict[str, Any]:
    return {
        "name": name,
        "in": "header",
        "required": False,
        "schema": {"type": "string"},
        "description": text,
    }


def _words(name: str) -> str:
    return re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name)


def _problem() -> dict[str, Any]:
    text = {"type": "string"}
    return {
        "type": "object",
        "description": "RFC 9457 错误说明",
        "properties": {
            "type": {"type": "string", "format": "uri"},
            "title": text,
            "status": {"type": "integer"},
            "detail": {"type": "string", "description": "可直接展示给用户的一句话"},
            "reason": {"type": "string", "description": "稳定的错误代码，供程序判断"},
            "request_id": {"type": "string", "description": "报告问题时请提供"},
            "fields": {
                "type": "array",
                "items": {"type": "object", "properties": {"field": text, "description": text}},
            },
        },
        "required": ["type", "title", "status", "detail", "reason", "request_id"],
    }


def _problem_response(status: int) -> dict[str, Any]:
    schema = {"$ref": "#/components/schemas/Problem"}
    return {"description": TITLES[status][0], "content": {"application/problem+json": {"schema": schema}}}
