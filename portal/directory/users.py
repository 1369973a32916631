"""People as Keycloak's users: what is written, what is read, and what an account may lose.

`posts` is one attribute with a JSON list (see setup.realm); membership in the groups of the posts' units
follows from it.
"""

from __future__ import annotations

import json
from typing import Any

from keycloak import KeycloakAdmin
from tongban.portal.v1.directory_pb2 import Person

from chassis.identity_types import SYSTEM_ROLES
from portal.directory.groups import Group
from portal.directory.passwords import credential
from portal.keycloak import realm_call

_PAGE = 500
_SERVICE = "service-account-"


def read_people(admin: KeycloakAdmin) -> dict[str, Person]:
    """All people of the realm, by id; service accounts are none."""
    holders = _holders_of_roles(admin)
    people: dict[str, Person] = {}
    first = 0
    while True:
        page = realm_call(admin, "get", "users", first=first, max=_PAGE, briefRepresentation="false")
        for user in page:
            if not user["username"].startswith(_SERVICE):
                people[user["id"]] = person_of(user, holders.get(user["id"], []))
        first += len(page)
        if len(page) < _PAGE:
            return people


def find_user(admin: KeycloakAdmin, username: str) -> dict[str, Any] | None:
    """Keycloak's record of the person with exactly this username."""
    found = realm_call(admin, "get", "users", username=username, exact="true", briefRepresentation="false")
    return found[0] if found else None


def roles_of(admin: KeycloakAdmin, user: str) -> list[str]:
    """The administrators' roles that somebody holds."""
    held = realm_call(admin, "get", f"users/{user}/role-mappings/realm")
    return sorted(role["name"] for role in held if role["name"] in SYSTEM_ROLES)


def person_of(user: dict[str, Any], roles: list[str]) -> Person:
    """The person that a record of Keycloak's describes.

    A damaged attribute counts as empty rather than hide everybody else.
    """
    held = {key: values[0] for key, values in (user.get("attributes") or {}).items() if values}
    return Person(
        person=user["id"],
        username=user["username"],
        name=user.get("firstName") or user["username"],
        posts=_posts(held.get("posts", "")),
        clearance=_number(held.get("clearance", "")),
        title=held.get("title", ""),
        order=_number(held.get("order", "")),
        disabled=not user.get("enabled", True),
        roles=roles,
    )


def user_of(person: Person, groups: dict[str, Group], *, temporary: bool) -> dict[str, Any]:
    """The record by which a new person is created, with the groups of the posts and the hashed password."""
    user = {"username": person.username, **_fields(person)}
    user["groups"] = [groups[unit].path for unit in units_of(person)]
    user["realmRoles"] = list(person.roles)
    if person.initial_password:
        user["credentials"] = [credential(person.initial_password)]
        if temporary:
            # Stated by itself: Keycloak overlooks the mark `temporary` on a credential that comes with its
            # hash.
            user["requiredActions"] = ["UPDATE_PASSWORD"]
    return user


def changed_user(user: dict[str, Any], person: Person) -> dict[str, Any]:
    """Keycloak's record with the person's data put in; what else it holds (e-mail …) stays."""
    fields = _fields(person)
    return {**user, **fields, "attributes": {**(user.get("attributes") or {}), **fields["attributes"]}}


def units_of(person: Person) -> list[str]:
    """The units of the posts, the primary one first."""
    return list(dict.fromkeys(post.partition(":")[0] for post in person.posts))


def loses_rights(before: Person, after: Person) -> bool:
    """Whether tokens issued before the change allow more than they should; their sessions are then ended."""
    return (
        (after.disabled and not before.disabled)
        or not set(before.posts) <= set(after.posts)
        or not set(before.roles) <= set(after.roles)
        or after.clearance < before.clearance
    )


def _fields(person: Person) -> dict[str, Any]:
    attributes = {
        "posts": json.dumps(list(person.posts)) if person.posts else "",
        "clearance": str(person.clearance),
        "title": person.title,
        "order": str(person.order),
    }
    return {
        "firstName": person.name.strip(),
        "enabled": not person.disabled,
        # An empty list takes an attribute away; an absent key would leave it.
        "attributes": {key: [value] if value else [] for key, value in attributes.items()},
    }


def _holders_of_roles(admin: KeycloakAdmin) -> dict[str, list[str]]:
    holders: dict[str, list[str]] = {}
    for role in sorted(SYSTEM_ROLES):
        for user in realm_call(admin, "get", f"roles/{role}/users", max=1000):
            holders.setdefault(user["id"], []).append(role)
    return holders


def _posts(text: str) -> list[str]:
    try:
        posts = json.loads(text or "[]")
    except ValueError:
        return []
    return [str(post) for post in posts] if isinstance(posts, list) else []


def _number(text: str) -> int:
    return int(text) if text.isdecimal() else 0
