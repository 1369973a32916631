"""The platform's own units, as the deployment lists them (deploy/units.toml, handed over as TONGBAN_UNITS).

Navigation, tiles, the search page, service accounts and the API's description follow from this list, so that a new service is named
in its entry and nowhere else.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache

from chassis.identity_types import Principal
from chassis.settings import required


@dataclass(frozen=True)
class Unit:
    """One unit. path: where its pages begin, "" without any; roles: the callers whom its pages are for (Principal.callers)."""

    name: str
    title: str = ""
    about: str = ""
    icon: str = "apps"
    path: str = ""
    roles: tuple[str, ...] = ("person",)
    search: bool = False
    grpc: bool = False

    @property
    def place(self) -> bool:
        """Whether it is one of the places that people go to; the portal is where they come from."""
        return self.path not in ("", "/")

    def open_to(self, principal: Principal) -> bool:
        """Whether its pages are for this person."""
        return not principal.callers.isdisjoint(self.roles)


def every() -> tuple[Unit, ...]:
    """All units of this deployment, in its order. Raises SettingMissing."""
    return _read(required("UNITS"))


def places(principal: Principal) -> list[Unit]:
    """Where this person has something to do."""
    return [unit for unit in every() if unit.place and unit.open_to(principal)]


def title(name: str) -> str:
    """What people call a unit; its own name where the deployment does not list it."""
    return next((unit.title for unit in every() if unit.name == name and unit.title), name)


@cache
def _read(text: str) -> tuple[Unit, ...]:
    return tuple(Unit(**{**one, "roles": tuple(one.get("roles", ("person",)))}) for one in json.loads(text))
