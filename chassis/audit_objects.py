"""How the audit finds what a call was about: an id, never content. Taken from the method's definition, so no service states it."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from google.protobuf import descriptor_pool
from google.protobuf.message import Message

# Fields that hold an id wherever they stand; what another field holds may be somebody's words.
THINGS = frozenset(
    {"app", "document", "delivery", "item", "task", "obligation", "meeting", "room", "person", "unit"}
)
_VARIABLE = re.compile(r"\{([a-z_.]+)")


def object_of(path: str) -> Callable[[Any, Any], str]:
    """How to find the id of what a method is about: in its path's variables, else in its answer, which is the thing itself."""
    service, _, name = path.strip("/").partition("/")
    try:
        method = descriptor_pool.Default().FindServiceByName(service).methods_by_name[name]
    except KeyError:
        return lambda _request, _answer: ""
    variables: list[str] = []
    for option, rule in method.GetOptions().ListFields():
        if option.full_name == "google.api.http":
            variables = _VARIABLE.findall(getattr(rule, rule.WhichOneof("pattern") or "get"))
    # A thing's message has its id in the field of its own name: Document.document, Task.task.
    own = method.output_type.name.lower()
    in_answer = own if own in method.output_type.fields_by_name else ""

    def find(request: Any, answer: Any) -> str:
        found = [_value(request, variable) for variable in variables] if request is not None else []
        if not any(found) and in_answer and isinstance(answer, Message):
            found = [getattr(answer, in_answer)]
        if not any(found) and request is not None:
            found = [_named(request)]
        return "/".join(found)

    return find


def _value(message: Any, path: str) -> str:
    for part in path.split("."):
        message = getattr(message, part)
    return str(message)


def _named(request: Any) -> str:
    """For methods without variables in their path: the request's first field, or that of the message in it, when it names a thing."""
    field = request.DESCRIPTOR.fields[0] if request.DESCRIPTOR.fields else None
    if field is None or field.is_repeated:
        return ""
    if field.message_type is not None:
        return _named(getattr(request, field.name))
    return str(getattr(request, field.name)) if field.name in THINGS else ""
