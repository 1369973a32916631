"""The list of units as processes read it."""

from __future__ import annotations

import json

import pytest

from chassis import units
from chassis.identity_types import Principal
from chassis.settings import SettingMissing

LISTED = [
    {"name": "portal", "title": "门户", "path": "/", "grpc": True},
    {"name": "archive", "title": "档案", "path": "/archive/", "icon": "folder", "search": True, "grpc": True},
    {"name": "audit", "title": "审计", "path": "/audit/", "roles": ["auditor"], "grpc": True},
    {"name": "oldsite", "path": ""},
]


@pytest.fixture(autouse=True)
def listed(monkeypatch):
    monkeypatch.setenv("TONGBAN_UNITS", json.dumps(LISTED))


@pytest.mark.parametrize(
    ("principal", "there"),
    [
        (Principal("p", posts=("fgw:member",)), ["archive"]),
        (Principal("a", roles=frozenset({"auditor"})), ["audit"]),
        (Principal("s", roles=frozenset({"system_administrator"})), []),
        (Principal("n"), []),
    ],
)
def test_everybody_has_the_places_that_are_for_them(principal, there):
    assert [unit.name for unit in units.places(principal)] == there


def test_a_unit_that_is_not_listed_keeps_its_own_name():
    assert (units.title("archive"), units.title("oldsite"), units.title("gone")) == (
        "档案",
        "oldsite",
        "gone",
    )


def test_a_process_that_was_not_told_says_so(monkeypatch):
    monkeypatch.delenv("TONGBAN_UNITS")
    with pytest.raises(SettingMissing, match="TONGBAN_UNITS"):
        units.every()
