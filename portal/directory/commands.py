"""What can be done to the directory: save units, save people, make the bucket equal to Keycloak."""

from __future__ import annotations

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from keycloak import KeycloakAdmin
from tongban.portal.v1.directory_pb2 import Person, Rights, Unit

from chassis.errors import Conflict, forbidden, invalid
from chassis.identity_types import Principal
from portal.directory import users
from portal.directory.groups import Group, read_groups, save_group
from portal.directory.rules import check_people, check_units, rights_of
from portal.keycloak import realm_call

# Keycloak's own work is what takes time; more threads than this only wait for its database.
_THREADS = 4

T = TypeVar("T")
Tell = Callable[[str], object]


@dataclass
class Saved(Generic[T]):
    """What a call to save has done; `things` in the order they came in."""

    created: int
    changed: int
    things: list[T]


def save_units(admin: KeycloakAdmin, units: list[Unit]) -> Saved[Unit]:
    """Creates or changes units, parents first.

    Raises InvalidInput (nothing is changed), Unavailable.
    """
    groups = read_groups(admin)
    ordered = check_units(units, {key: group.unit for key, group in groups.items()})
    outcomes = [save_group(admin, unit, groups) for unit in ordered]
    return Saved(outcomes.count("created"), outcomes.count("changed"), units)


def save_accounts(
    admin: KeycloakAdmin, by: Principal, people: list[Person], *, temporary: bool, tell: Tell | None = None
) -> Saved[Person]:
    """Creates or changes accounts for the system administrator `by`; what they may do stays as it is, and is nothing for a new one.

    Otherwise as save_people. Raises Forbidden for one's own account and for rights that differ from those held.
    """
    _nobody_own(by, [person.username for person in people])
    held = _accounts(admin, [person.username for person in people])
    for position, person in enumerate(people):
        there = held.get(person.username)
        rights = rights_of(there.person if there else Person())
        if rights_of(person) not in (rights, rights_of(Person())):
            raise forbidden("岗位、密级和管理角色由安全管理员授予。")
        # A copy, since the request's digest is remembered by what it said.
        copy = Person()
        copy.CopyFrom(person)
        copy.posts[:], copy.clearance, copy.roles[:] = rights
        people[position] = copy
    return save_people(admin, people, temporary=temporary, tell=tell)


def save_rights(
    admin: KeycloakAdmin, by: Principal, rights: list[Rights], *, tell: Tell | None = None
) -> Saved[Person]:
    """Gives accounts their posts, clearance and role for the security administrator `by`.

    Otherwise as save_people. Raises Forbidden for one's own account, InvalidInput for an account that is not there.
    """
    _nobody_own(by, [one.username for one in rights])
    groups, held = read_groups(admin), _accounts(admin, [one.username for one in rights])
    wanted: list[Person] = []
    for one in rights:
        if one.username not in held:
            raise invalid(rights=f"没有登录名为“{one.username}”的账号，请先由系统管理员建立")
        person = Person()
        person.CopyFrom(held[one.username].person)
        person.posts[:], person.clearance, person.roles[:] = one.posts, one.clearance, one.roles
        wanted.append(person)
    check_people(wanted, groups)
    with ThreadPoolExecutor(_THREADS) as threads:
        changes = threads.map(lambda one: _change(admin, one, held[one.username], groups, tell), wanted)
        return Saved(0, sum(changes), wanted)


def _nobody_own(by: Principal, usernames: list[str]) -> None:
    """Nobody gives anything to themselves. Raises Forbidden."""
    if by.username in usernames:
        raise forbidden("不能变更自己的账号和权限，请由其他管理员办理。")


@dataclass(frozen=True)
class Account:
    """Keycloak's record of somebody, and the person that it describes."""

    user: dict[str, Any]
    person: Person


def _accounts(admin: KeycloakAdmin, usernames: list[str]) -> dict[str, Account]:
    """Those of these accounts that exist, as they are, by username."""

    def account(username: str) -> Account | None:
        user = users.find_user(admin, username)
        return Account(user, users.person_of(user, users.roles_of(admin, user["id"]))) if user else None

    with ThreadPoolExecutor(_THREADS) as threads:
        found = [one for one in threads.map(account, usernames) if one is not None]
        return {one.person.username: one for one in found}


def save_people(
    admin: KeycloakAdmin, people: list[Person], *, temporary: bool, tell: Tell | None = None
) -> Saved[Person]:
    """Creates or changes people by their username, whole; who may do which part of that is said by the two above.

    `temporary`: an initial password must be changed at the first sign-in. `tell`: told each login that ends with it, so that its
    tokens are refused at once; without it they are good until they expire.

    Repeating a call has no second effect. An existing person's password is never touched. Who loses a right
    is signed out everywhere. Raises InvalidInput (nothing is changed), Unavailable (those before it are
    saved; repeat the call).
    """
    groups = read_groups(admin)
    check_people(people, groups)
    held = _accounts(admin, [person.username for person in people])
    new = [person for person in people if person.username not in held]
    known = [person for person in people if person.username in held]
    ids = _create(admin, new, groups, temporary=temporary)
    with ThreadPoolExecutor(_THREADS) as threads:
        changes = list(threads.map(lambda one: _change(admin, one, held[one.username], groups, tell), known))
    ids |= {username: account.person.person for username, account in held.items()}
    return Saved(len(new), sum(changes), [_saved(person, ids[person.username]) for person in people])


def _create(
    admin: KeycloakAdmin, people: list[Person], groups: dict[str, Group], *, temporary: bool
) -> dict[str, str]:
    """Brings new people in by one call (one transaction of Keycloak's); returns username → id."""
    if not people:
        return {}
    records = [users.user_of(person, groups, temporary=temporary) for person in people]
    answer = admin.partial_import_realm(
        str(admin.connection.realm_name), {"ifResourceExists": "SKIP", "users": records}
    )
    return {result["resourceName"]: result["id"] for result in answer["results"]}


def _change(
    admin: KeycloakAdmin, person: Person, account: Account, groups: dict[str, Group], tell: Tell | None
) -> bool:
    """Brings one existing person to the wanted state; whether anything had to be changed."""
    user, before, identity = account.user, account.person, account.person.person
    after = _saved(person, identity)
    # Membership in groups is compared with what Keycloak holds, since it may have been changed by hand there.
    member = {group["id"] for group in realm_call(admin, "get", f"users/{identity}/groups", max=1000)}
    wanted = {groups[unit].id for unit in users.units_of(person)}
    if before == after and member == wanted:
        return False
    realm_call(admin, "put", f"users/{identity}", data=json.dumps(users.changed_user(user, person)))
    for group in wanted - member:
        realm_call(admin, "put", f"users/{identity}/groups/{group}", data="{}")
    for group in member - wanted:
        realm_call(admin, "delete", f"users/{identity}/groups/{group}")
    change_roles(admin, identity, set(before.roles), set(after.roles))
    if users.loses_rights(before, after):
        if tell:
            for session in realm_call(admin, "get", f"users/{identity}/sessions"):
                tell(session["id"])
        realm_call(admin, "post", f"users/{identity}/logout", data="{}")
    return True


def change_roles(admin: KeycloakAdmin, identity: str, before: set[str], after: set[str]) -> None:
    """Brings the administrators' roles of an account to `after`.

    Raises Conflict when somebody else gave another one at the same time; then neither of the two is kept by our doing.
    """
    # Taken away first, so that nobody ever holds two.
    for role in before - after:
        _role(admin, "delete", identity, role)
    for role in after - before:
        _role(admin, "post", identity, role)
        # Looked at again, since Keycloak knows no "only if": of two at once each sees the other's, and takes its own back.
        if len(users.roles_of(admin, identity)) > 1:
            _role(admin, "delete", identity, role)
            raise Conflict(
                "ROLE_MEANWHILE",
                "该账号刚刚被授予另一种管理角色，请刷新后再试。",
                "Given another role meanwhile.",
            )


def _role(admin: KeycloakAdmin, method: str, identity: str, role: str) -> None:
    named = realm_call(admin, "get", f"roles/{role}")
    realm_call(admin, method, f"users/{identity}/role-mappings/realm", data=json.dumps([named]))


def _saved(person: Person, identity: str) -> Person:
    copy = Person()
    copy.CopyFrom(person)
    copy.person = identity
    copy.name = person.name.strip()
    copy.ClearField("initial_password")
    return copy
