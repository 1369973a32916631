"""Path templates of google.api.http: `/api/v1/x/{name}`, `{name=**}`, `{name=a/*}`, `*`, `**`, `:verb`.

A template is matched against the path as the client sent it, still percent-encoded, so that an encoded slash
inside an id never changes which route is taken.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property
from urllib.parse import unquote_to_bytes

_VARIABLE = re.compile(r"\{([a-z][a-z0-9_]*(?:\.[a-z][a-z0-9_]*)*)(?:=([^{}]+))?\}")
_LITERAL = re.compile(r"[A-Za-z0-9._~-]+")
_VERB = re.compile(r":([A-Za-z][A-Za-z0-9]*)$")


class BadTemplate(ValueError):
    """A template in a .proto file is not of the grammar above."""


class BadPath(ValueError):
    """The path of a request is not valid percent-encoded UTF-8."""


@dataclass(frozen=True)
class Variable:
    """One `{…}`: the field it fills, and whether it may span several segments."""

    field: str
    many: bool


@dataclass(frozen=True)
class PathTemplate:
    """A parsed template. `literals` are the leading fixed segments, by which a table of routes is divided."""

    text: str
    variables: tuple[Variable, ...]
    pattern: str
    segments: tuple[str, ...]
    verb: str

    @cached_property
    def _regex(self) -> re.Pattern[str]:
        return re.compile(self.pattern)

    @property
    def specificity(self) -> tuple[int, ...]:
        """Sort key: what is fixed comes before what is variable, a verb before none, `**` last."""
        rank = {"*": 1, "**": 2}
        # The empty tail stands for the end of a path; a longer path is tried before a shorter one that ends
        # in `**`.
        return (*(rank.get(segment, 0) for segment in self.segments), 0 if self.verb else 1)

    def match(self, path: str) -> dict[str, str] | None:
        """The values of the variables, decoded, or None when `path` is another one.

        Raises BadPath.
        """
        found = self._regex.fullmatch(path)
        if found is None:
            return None
        values = found.groups()
        return {
            variable.field: _decode(value, keep_slash=variable.many)
            for variable, value in zip(self.variables, values, strict=True)
        }

    @property
    def openapi(self) -> str:
        """The template as OpenAPI writes it: every variable is one `{name}`."""
        return _VARIABLE.sub(lambda found: "{" + found[1] + "}", self.text)


def parse(text: str) -> PathTemplate:
    """The template behind `text`.

    Raises BadTemplate.
    """
    if not text.startswith("/") or text != text.strip():
        raise BadTemplate(f"{text!r} does not start with a slash")
    body, verb = text, ""
    if found := _VERB.search(text):
        body, verb = text[: found.start()], found[1]
    variables: list[Variable] = []
    pattern: list[str] = []
    segments: list[str] = []
    for piece in _pieces(body):
        found = _VARIABLE.fullmatch(piece)
        inner = (found[2] or "*").split("/") if found else [piece]
        expressions = [_segment(segment, text) for segment in inner]
        expression = "/".join(expressions)
        if found:
            many = len(inner) > 1 or inner == ["**"]
            variables.append(Variable(found[1], many))
            expression = f"({expression})"
        pattern.append(expression)
        segments.extend(inner)
    if "**" in segments[:-1]:
        raise BadTemplate(f"{text!r}: ** must be the last segment")
    if len({variable.field for variable in variables}) != len(variables):
        raise BadTemplate(f"{text!r} names a field twice")
    ending = f":{re.escape(verb)}" if verb else ""
    return PathTemplate(text, tuple(variables), "/" + "/".join(pattern) + ending, tuple(segments), verb)


def _pieces(body: str) -> list[str]:
    """The segments of `body`, a variable with slashes inside counting as one."""
    return re.findall(r"\{[^{}]*\}|[^/]+", body) if not re.search(r"//|/$", body) else _bad(body)


def _bad(body: str) -> list[str]:
    raise BadTemplate(f"{body!r} has an empty segment")


def _segment(segment: str, text: str) -> str:
    if segment == "*":
        return "[^/]+"
    if segment == "**":
        return ".+"
    if not _LITERAL.fullmatch(segment):
        raise BadTemplate(f"{text!r}: {segment!r} is neither a literal nor a variable")
    return re.escape(segment)


def _decode(value: str, *, keep_slash: bool) -> str:
    if keep_slash:
        # Of several segments an encoded slash is part of one segment's name and must stay distinguishable.
        value = re.sub(r"%2[fF]", "%252F", value)
    try:
        return unquote_to_bytes(value).decode("utf-8")
    except UnicodeDecodeError as problem:
        raise BadPath("the path is not UTF-8") from problem
