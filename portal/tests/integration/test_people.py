"""Units and people on a real Keycloak, and the bucket that everybody reads."""

from __future__ import annotations

import time

import httpx
import pytest
from tongban.portal.v1.directory_pb2 import Person, Unit

from chassis.errors import InvalidInput
from portal.directory import bucket, commands
from portal.directory.groups import read_groups
from portal.directory.users import read_people
from portal.keycloak import bootstrap_admin, portal_admin
from portal.tests.integration.test_setup import claims, token
from tests.inprocess import eventually

pytestmark = pytest.mark.integration
PASSWORD = "Tongban-2026!"
UNITS = [
    Unit(unit="fgw-zh", name="综合科", parent="fgw", kind="division", order=3),
    Unit(
        unit="fgw",
        name="云溪区发展和改革局",
        short_name="区发改局",
        parent="qzf",
        kind="organisation",
        organ_code="云发改",
        order=2,
    ),
    Unit(unit="qzf", name="云溪区人民政府", kind="organisation", category="leadership", order=1),
]


@pytest.fixture(scope="module")
def admin(realm):
    admin = portal_admin(realm)
    commands.save_units(admin, UNITS)
    return admin


def people(first: int, count: int) -> list[Person]:
    return [
        Person(
            username=f"p{number:04}", name=f"人员{number}", posts=["fgw-zh:head", "qzf:member"],
            clearance=number % 3, title="科长",
            order=number, initial_password=PASSWORD,
        )
        for number in range(first, first + count)
    ]  # fmt: skip


def sign_in(realm, username: str, password: str = PASSWORD) -> httpx.Response:
    return token(
        realm, "tongban-demo", grant_type="password", username=username, password=password, scope="openid"
    )


def signed_in(realm, username: str) -> str:
    """The access token. Keycloak refuses a person's attempt while it still counts the one before."""
    return eventually(lambda: sign_in(realm, username).json().get("access_token"), 30)


def test_units_are_a_tree_and_saving_again_changes_nothing(admin):
    again = commands.save_units(admin, UNITS)
    assert (again.created, again.changed) == (0, 0)
    groups = read_groups(admin)
    assert {key: group.unit for key, group in groups.items()} == {unit.unit: unit for unit in UNITS}
    assert groups["fgw-zh"].path == "/qzf/fgw/fgw-zh"


def test_two_hundred_people_in_seconds_who_can_sign_in_at_once(realm, admin):
    began = time.monotonic()
    for first in (0, 100):
        saved = commands.save_people(admin, people(first, 100), temporary=False)
        assert (saved.created, saved.changed) == (100, 0)
    took = time.monotonic() - began
    assert took < 60, f"{took:.1f} s for 200 people"
    again = commands.save_people(admin, people(0, 100), temporary=False)
    assert (again.created, again.changed) == (0, 0)
    said = claims(sign_in(realm, "p0001").json()["access_token"])
    # The primary post stands first, whatever the alphabet says.
    assert said["posts"] == ["fgw-zh:head", "qzf:member"]
    assert (said["clearance"], said["name"], said["title"]) == (1, "人员1", "科长")
    assert sorted(said["units"]) == ["fgw-zh", "qzf"]
    assert said["sub"] == commands.save_people(admin, people(1, 1), temporary=False).things[0].person
    assert sign_in(realm, "p0001", "wrong").json()["error"] == "invalid_grant"


def test_a_temporary_password_must_be_changed_first(realm, admin):
    commands.save_people(admin, people(300, 1), temporary=True)
    assert "not fully set up" in sign_in(realm, "p0300").json()["error_description"]


def test_who_loses_a_post_or_the_account_is_out_everywhere(realm, admin):  # check 9
    commands.save_people(admin, people(310, 2), temporary=False)
    sessions = {name: sign_in(realm, name).json()["refresh_token"] for name in ("p0310", "p0311")}
    changed = people(310, 2)
    changed[0].posts[:] = ["qzf:member"]
    changed[1].disabled = True
    assert commands.save_people(admin, changed, temporary=False).changed == 2
    for name, refresh in sessions.items():
        reply = token(realm, "tongban-demo", grant_type="refresh_token", refresh_token=refresh)
        assert reply.status_code == 400, name
    said = claims(signed_in(realm, "p0310"))
    assert (said["posts"], said["units"]) == (["qzf:member"], ["qzf"])
    assert sign_in(realm, "p0311").status_code == 400


def test_a_wrong_person_stops_the_whole_call(admin):
    wrong = [*people(320, 1), Person(username="p0321", name="王", posts=["nowhere:head"])]
    with pytest.raises(InvalidInput):
        commands.save_people(admin, wrong, temporary=False)
    assert "p0320" not in {person.username for person in read_people(admin).values()}


def test_the_bucket_follows_keycloak_and_remembers_who_left(parts, realm, admin):
    commands.save_people(admin, people(330, 1), temporary=False)
    bus = parts.chassis.bus
    bus.connected.wait(20)

    def reconcile() -> int:
        units = [group.unit for group in read_groups(admin).values()]
        return bus.run(bucket.reconcile(bus.bus, units, list(read_people(admin).values())), 60)

    assert reconcile() > 0
    assert reconcile() == 0
    gone = next(key for key, person in read_people(admin).items() if person.username == "p0330")
    bootstrap_admin(realm).delete_user(gone)
    assert reconcile() == 1
    directory = parts.chassis.directory
    assert directory.ready.wait(20)
    left = directory.person(gone)
    assert (left.name, left.disabled, list(left.posts), left.initial_password) == ("人员330", True, [], "")
