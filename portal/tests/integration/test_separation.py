"""Three administrators on a real Keycloak: nobody holds two roles, nobody gives themselves anything, each has the own part only."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from tongban.portal.v1.directory_pb2 import Person, Rights

from chassis.errors import Conflict, Forbidden, InvalidInput, NotSignedIn, Unavailable
from chassis.identity import principal_of
from chassis.identity_types import SYSTEM_ROLES, Principal
from portal.directory import commands
from portal.directory.users import find_user, read_people, roles_of
from portal.keycloak import bootstrap_admin, portal_admin
from portal.tests.integration.test_people import PASSWORD, UNITS, signed_in
from portal.tests.integration.test_setup import claims

pytestmark = pytest.mark.integration
SYSTEM = Principal("s", username="sysadmin", roles=frozenset({"system_administrator"}))
SECURITY = Principal("c", username="secadmin", roles=frozenset({"security_administrator"}))


@pytest.fixture(scope="module")
def admin(realm):
    admin = portal_admin(realm)
    commands.save_units(admin, UNITS)
    return admin


@pytest.fixture
def account(admin, request):
    """The username of a new account without any right, made by the system administrator."""
    username = f"a{abs(hash(request.node.name)) % 10**8}"
    person = Person(username=username, name="新账号", initial_password=PASSWORD)
    commands.save_accounts(admin, SYSTEM, [person], temporary=False)
    return username


def held(admin, username):
    """(posts, clearance, roles) of an account as Keycloak has them."""
    user = find_user(admin, username)
    person = read_people(admin)[user["id"]]
    return list(person.posts), person.clearance, list(person.roles)


def grant(admin, *rights):
    return commands.save_rights(admin, SECURITY, list(rights))


def test_an_account_is_made_without_rights_and_given_them_by_the_other(admin, account):
    """# check 21: the system administrator does not change permissions"""
    assert held(admin, account) == ([], 0, [])
    for more in ({"posts": ["fgw:head"]}, {"clearance": 3}, {"roles": ["auditor"]}):
        for username in (account, "somebody.new"):
            wanted = Person(username=username, name="新账号", **more)
            with pytest.raises(Forbidden):
                commands.save_accounts(admin, SYSTEM, [wanted], temporary=False)
    assert find_user(admin, "somebody.new") is None
    grant(admin, Rights(username=account, posts=["fgw-zh:head"], clearance=2))
    # Who renames an account neither gives nor takes what it may do, whether the rights are repeated or left out.
    for more in ({}, {"posts": ["fgw-zh:head"], "clearance": 2}):
        commands.save_accounts(
            admin, SYSTEM, [Person(username=account, name="改名", **more)], temporary=False
        )
        assert held(admin, account) == (["fgw-zh:head"], 2, [])
    assert read_people(admin)[find_user(admin, account)["id"]].name == "改名"


def test_nobody_gives_anything_to_themselves(admin):
    """# check 21"""
    for username in ("secadmin", "sysadmin"):
        by = Principal("x", username=username)
        with pytest.raises(Forbidden):
            commands.save_rights(admin, by, [Rights(username=username, clearance=3)])
        with pytest.raises(Forbidden):
            commands.save_accounts(admin, by, [Person(username=username, name="我")], temporary=False)
    with pytest.raises(InvalidInput):
        grant(admin, Rights(username="SysAdmin", roles=["auditor"]))
    assert held(admin, "secadmin") == ([], 0, ["security_administrator"])


@pytest.mark.parametrize(
    "wanted",
    [
        {"roles": ["auditor", "system_administrator"]},
        {"roles": sorted(SYSTEM_ROLES)},
        {"roles": ["auditor"], "posts": ["fgw:member"]},
        {"roles": ["auditor", "default-roles-tongban"]},
        {"roles": ["realm-admin"]},
    ],
)
def test_two_roles_or_a_role_beside_a_post_are_refused(admin, account, wanted):
    """# check 21"""
    with pytest.raises(InvalidInput):
        grant(admin, Rights(username=account, **wanted))
    assert held(admin, account) == ([], 0, [])


def test_a_second_role_given_while_the_first_is_taken_away_is_never_beside_it(admin, realm, account):
    """# check 21: changed to and fro by many at once; whatever comes of it, nobody has two, and no token says so"""
    roles, barrier, codes = sorted(SYSTEM_ROLES), threading.Barrier(6), []

    def change(number):
        barrier.wait()
        try:
            grant(admin, Rights(username=account, roles=[roles[number % 3]]))
        except (Conflict, Unavailable) as problem:
            # Keycloak itself refuses some of what comes at the same moment.
            return problem.reason
        return "OK"

    user, most = find_user(admin, account)["id"], 0
    for _ in range(3):
        with ThreadPoolExecutor(6) as threads:
            codes += threads.map(change, range(6))
        most = max(most, len(roles_of(admin, user)))
    assert most <= 1
    grant(admin, Rights(username=account, roles=[roles[0]]))
    assert roles_of(admin, user) == [roles[0]]
    print(
        f"check 21: {len(codes)} changes of role at once, at most {most} held; {codes.count('OK')} took place"
    )


def test_what_keycloak_unites_by_itself_opens_nothing(admin, realm, account):
    """# check 21: a composite role, a group's role, two roles by its own console: the token is refused at every door"""
    keycloak, user = bootstrap_admin(realm), find_user(admin, account)["id"]
    two = [keycloak.get_realm_role(name) for name in ("auditor", "system_administrator")]
    keycloak.create_realm_role({"name": "boss"})
    keycloak.add_composite_realm_roles_to_role("boss", two)
    group = keycloak.create_group({"name": "bosses"})
    keycloak.assign_group_realm_roles(group, two)
    boss = [keycloak.get_realm_role("boss")]
    ways = {
        "composite": (lambda: keycloak.assign_realm_roles(user, boss), lambda: keycloak.delete_realm_roles_of_user(user, boss)),
        "group": (lambda: keycloak.group_user_add(user, group), lambda: keycloak.group_user_remove(user, group)),
        "direct": (lambda: keycloak.assign_realm_roles(user, two), lambda: keycloak.delete_realm_roles_of_user(user, two)),
    }  # fmt: skip
    for name, (give, take) in ways.items():
        give()
        said = claims(signed_in(realm, account))
        assert {"auditor", "system_administrator"} <= set(said["roles"]), name
        with pytest.raises(NotSignedIn, match="exclude each other"):
            principal_of(said)
        take()
    keycloak.delete_group(group)
    keycloak.delete_realm_role("boss")
    grant(admin, Rights(username=account, posts=["fgw:member"]))
    keycloak.assign_realm_roles(user, two[:1])
    with pytest.raises(NotSignedIn):
        principal_of(claims(signed_in(realm, account)))
    print(f"check 21: {len(ways) + 1} ways around the portal, 0 tokens that open anything")
