"""Names for ids. A page never shows the id of a person or a unit, not even of one that is gone."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Protocol

from flask import Flask, current_app

from chassis.web import language
from chassis.words import POSTS, REALM_ROLES

GONE_PERSON = "（已注销人员）"
GONE_UNIT = "（已撤销单位）"


class Directory(Protocol):
    """Who knows the names: chassis.directory.Directory, or a test's own."""

    def person(self, person: str) -> Any:
        """The person (with `name`), or None."""

    def unit(self, unit: str) -> Any:
        """The unit (with `name` and `short_name`), or None."""


def person(ids: str | Iterable[str] | None) -> str:
    """The name of a person, or the names of several with 、 between them; '' for nobody."""
    return _joined(ids, _person)


def unit(ids: str | Iterable[str] | None) -> str:
    """The full name of a unit, or of several."""
    return _joined(ids, lambda one: _unit(one, short=False))


def unit_short(ids: str | Iterable[str] | None) -> str:
    """The short name of a unit, or of several, for lists."""
    return _joined(ids, lambda one: _unit(one, short=True))


def role(name: str) -> str:
    """The Chinese name of a post's or realm role."""
    return str(language.t(POSTS.get(name) or REALM_ROLES.get(name, name)))


def audience(tokens: str | Iterable[str] | None) -> str:
    """Who is meant by an audience token: 全体人员, a person, a unit, or who holds a post there."""
    return _joined(tokens, _one_audience)


def _one_audience(token: str) -> str:
    if token == "all":  # noqa: S105 -- an audience token, not a secret
        return str(language.t("全体人员"))
    kind, _, rest = token.partition(":")
    if kind == "p":
        return person(rest)
    where, _, post = rest.partition(":")
    name = _unit(where, short=True)
    return f"{name}·{role(post)}" if post and post != "member" else name


def _person(one: str) -> str:
    found = _directory().person(one)
    return str(found.name if found is not None else language.t(GONE_PERSON))


def _unit(one: str, *, short: bool) -> str:
    found = _directory().unit(one)
    if found is None:
        return str(language.t(GONE_UNIT))
    return str((found.short_name if short else "") or found.name)


def _joined(ids: str | Iterable[str] | None, name: Callable[[str], str]) -> str:
    if not ids:
        return ""
    every = [ids] if isinstance(ids, str) else [one for one in ids if one]
    return (", " if language.english() else "、").join(name(one) for one in every)


def _directory() -> Directory:
    found: Directory = current_app.extensions["tongban-directory"]()
    return found


def install(app: Flask, directory: Callable[[], Directory]) -> None:
    """Make the filters known to templates; `directory` is called at each use, not before a fork."""
    app.extensions["tongban-directory"] = directory
    app.jinja_env.filters.update(
        person=person,
        people=person,
        unit=unit,
        units=unit,
        unit_short=unit_short,
        role=role,
        audience=audience,
    )
