"""Units as Keycloak's groups.

The group's name is the unit's id, everything else its attributes, the tree is the tree.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from keycloak import KeycloakAdmin
from tongban.portal.v1.directory_pb2 import Unit

from portal.keycloak import realm_call

_PAGE = 1000


@dataclass
class Group:
    """A unit and where Keycloak keeps it."""

    id: str
    path: str
    unit: Unit


def read_groups(admin: KeycloakAdmin) -> dict[str, Group]:
    """All units of the realm, by unit id."""
    found: dict[str, Group] = {}
    _collect(admin, "groups", "", found)
    return found


def _collect(admin: KeycloakAdmin, path: str, parent: str, found: dict[str, Group]) -> None:
    # A group's children are not part of the answer since Keycloak 23; only their number is.
    for group in _pages(admin, path):
        found[group["name"]] = Group(group["id"], group["path"], _unit_of(group, parent))
        if group.get("subGroupCount"):
            _collect(admin, f"groups/{group['id']}/children", group["name"], found)


def _pages(admin: KeycloakAdmin, path: str) -> list[dict[str, Any]]:
    answer: list[dict[str, Any]] = []
    while True:
        page = realm_call(admin, "get", path, briefRepresentation="false", first=len(answer), max=_PAGE)
        answer += page
        if len(page) < _PAGE:
            return answer


def save_group(admin: KeycloakAdmin, unit: Unit, groups: dict[str, Group]) -> str:
    """Creates or changes one unit and enters it into `groups`; returns "created", "changed" or "".

    The parent, if any, must be in `groups` already.
    """
    there = groups.get(unit.unit)
    if there is not None and there.unit == unit:
        return ""
    body: dict[str, Any] = {"name": unit.unit, "attributes": _attributes(unit)}
    if there is None or there.unit.parent != unit.parent:
        # Posting an existing group below another one moves it.
        if there is not None:
            body["id"] = there.id
        path = f"groups/{groups[unit.parent].id}/children" if unit.parent else "groups"
        realm_call(admin, "post", path, data=json.dumps(body))
    if there is not None:
        realm_call(admin, "put", f"groups/{there.id}", data=json.dumps(body))
    group = there.id if there else _id_of(admin, unit, groups)
    held = realm_call(admin, "get", f"groups/{group}")
    groups[unit.unit] = Group(group, held["path"], unit)
    return "changed" if there else "created"


def _id_of(admin: KeycloakAdmin, unit: Unit, groups: dict[str, Group]) -> str:
    """Keycloak's id of a group just made.

    Asked of the parent, since a path may have changed with a move above it.
    """
    path = f"groups/{groups[unit.parent].id}/children" if unit.parent else "groups"
    found = realm_call(admin, "get", path, search=unit.unit, exact="true", max=_PAGE)
    return next(str(group["id"]) for group in found if group["name"] == unit.unit)


def _attributes(unit: Unit) -> dict[str, list[str]]:
    values = {
        "name": unit.name,
        "short_name": unit.short_name,
        "kind": unit.kind,
        "category": unit.category,
        "organ_code": unit.organ_code,
        "order": str(unit.order),
    }
    return {key: [value] for key, value in values.items() if value}


def _unit_of(group: dict[str, Any], parent: str) -> Unit:
    held = {key: values[0] for key, values in (group.get("attributes") or {}).items() if values}
    order = held.get("order", "0")
    return Unit(
        unit=group["name"],
        name=held.get("name", group["name"]),
        short_name=held.get("short_name", ""),
        parent=parent,
        kind=held.get("kind", "division"),
        category=held.get("category", ""),
        organ_code=held.get("organ_code", ""),
        order=int(order) if order.isdecimal() else 0,
    )
