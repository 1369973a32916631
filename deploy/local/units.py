"""The list of units, read from deploy/units.toml and checked.

Everything that depends on which services exist is derived from here.
"""

import json
import re
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from deploy.local.accounts import SERVICES
from deploy.local.say import Refusal

_NAME = re.compile(r"[a-z][a-z0-9_]*")
_ACCOUNT = re.compile(r"[a-z][a-z0-9-]{0,30}")
EVERY = "*"  # in `calls`: every unit
DEMO = "demo"  # no unit, but whoever loads demonstration data
_PROCESSES = {"module", "grpc", "work", "pages", "web", "stream", "setup", "site", "path", "calls", "account"}
_SHOWN = {"title", "about", "icon", "roles", "search"}
# As chassis.identity_types.Principal.callers has them; this package stands on the standard library alone.
_ROLES = {
    "person",
    "member",
    "registrar",
    "head",
    "leader",
    "system_administrator",
    "security_administrator",
    "auditor",
}


@dataclass(frozen=True)
class Unit:
    """One table of units.toml."""

    name: str
    index: int
    module: str
    grpc: int = 0
    work: bool = False
    pages: bool = False
    web: bool = False
    stream: bool = False
    setup: bool = False
    site: str = ""
    path: str = ""
    title: str = ""
    about: str = ""
    icon: str = ""
    roles: tuple[str, ...] = ("person",)
    search: bool = False
    calls: tuple[str, ...] = ()
    account: str = SERVICES

    @property
    def http(self) -> bool:
        """Whether it has an HTTP server beside a possible stream."""
        return self.pages or self.web or bool(self.site)

    def exists(self, root: Path) -> bool:
        """Whether this clone has the unit's code: a package or, for a site, perhaps a single module."""
        path = root.joinpath(*self.module.split("."))
        return path.is_dir() or path.with_suffix(".py").is_file()


def table(root: Path) -> dict[str, dict[str, Any]]:
    """units.toml as it stands, for those who render something from it."""
    file = root / "deploy" / "units.toml"
    try:
        return tomllib.loads(file.read_text())
    except tomllib.TOMLDecodeError as problem:
        raise Refusal(f"{file} cannot be read ({problem}); correct it and run again.") from problem


def load(root: Path) -> tuple[Unit, ...]:
    """All units in the file's order, whether their code is there or not: ports depend on the place."""
    listed = tuple(_unit(name, index, entry) for index, (name, entry) in enumerate(table(root).items()))
    servers = {unit.name for unit in listed if unit.grpc} | {EVERY}
    for unit in listed:
        for called in unit.calls:
            if called not in servers:
                raise Refusal(f"deploy/units.toml: [{unit.name}] calls {called!r}, which has no gRPC server.")
    return listed


def peers(unit: Unit, listed: tuple[Unit, ...], *, demo: bool) -> list[str]:
    """Whose certificates the gRPC server of `unit` admits: its own, those of its callers, the demonstration's loader's."""
    calling = {one.name for one in listed if {unit.name, EVERY} & set(one.calls)}
    return sorted(calling | {unit.name} | ({DEMO} if demo else set()))


def described(listed: tuple[Unit, ...]) -> str:
    """What chassis.units tells every process of these units (TONGBAN_UNITS)."""
    return json.dumps(
        [
            {
                "name": unit.name, "title": unit.title, "about": unit.about, "icon": unit.icon, "path": unit.path,
                "roles": unit.roles, "search": unit.search, "grpc": bool(unit.grpc),
            }
            for unit in listed
        ]
    )  # fmt: skip


def _unit(name: str, index: int, entry: Any) -> Unit:
    if not isinstance(entry, dict):
        raise Refusal(f"deploy/units.toml: {name} stands outside of any unit's table; move it into one.")
    if not _NAME.fullmatch(name):
        raise Refusal(f"deploy/units.toml: the unit name {name!r} may hold small letters, digits and _ only.")
    unknown = set(entry) - _PROCESSES - _SHOWN
    if unknown:
        raise Refusal(f"deploy/units.toml: [{name}] has the unknown key {min(unknown)!r}; remove it.")
    given = {
        "module": f"services.{name}",
        **entry,
        "calls": tuple(entry.get("calls", ())),
        "roles": tuple(entry.get("roles", ("person",))),
    }
    unit = Unit(name=name, index=index, **given)
    if sum((unit.pages, unit.web, bool(unit.site))) > 1:
        raise Refusal(f"deploy/units.toml: [{name}] may have only one of pages, web and site.")
    if unit.pages != bool(unit.path):
        raise Refusal(f"deploy/units.toml: [{name}] needs both pages and path, or neither.")
    if not _ACCOUNT.fullmatch(unit.account):
        raise Refusal(
            f"deploy/units.toml: [{name}] has {unit.account!r} for an account; small letters, digits and - only."
        )
    if not unit.roles or not set(unit.roles) <= _ROLES:
        raise Refusal(
            f"deploy/units.toml: [{name}] has roles that nobody can hold; known: {', '.join(sorted(_ROLES))}."
        )
    if unit.pages and not (unit.title and unit.icon):
        raise Refusal(f"deploy/units.toml: [{name}] has pages and needs a title and an icon for them.")
    return unit
