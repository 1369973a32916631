"""docs/rights.md and portal/rights.json say what the services' tables say, and of every method."""

from __future__ import annotations

import json

import pytest

from chassis.identity_types import Principal
from portal.pages.rights import MATRIX, PAGES
from tests.rules import apps, rights_table, tree

SIGNED_IN = {"Authorization": "Bearer good", "X-Tongban-Csrf": "c" * 20, "Origin": "http://localhost"}
UPDATE = "run: python3 -m deploy.local.tool python -m tests.rules.rights_table"


def test_the_matrix_is_current():
    assert rights_table.TABLE.read_text() == rights_table.markdown(), UPDATE
    assert json.loads(MATRIX.read_text()) == rights_table.data(), UPDATE
    assert rights_table.ACTIONS.read_text() == rights_table.names(), UPDATE


@pytest.mark.parametrize("unit", rights_table.listed(), ids=lambda unit: unit.name)
def test_every_method_has_a_name_in_words(unit):
    assert set(rights_table.said(unit)) == set(rights_table.who(unit)), f"see {unit.module}/rights.py"
    for method, words in rights_table.said(unit).items():
        assert all(isinstance(one, str) and one.isascii() is (one == "") for one in words), method


def test_every_unit_with_methods_stands_in_the_matrix():
    assert {unit.name for unit in rights_table.listed()} == set(tree.built())


def test_every_page_opens_to_whom_the_matrix_says_and_to_nobody_else(monkeypatch):
    """# check 21: every page of the administration and every unit's place, as every role. The calls behind reach nobody."""
    asked = 0
    for role in rights_table.PEOPLE:
        business = role in rights_table.POSTS
        reader = Principal(
            "p1",
            posts=(f"fgw:{role}",) if business else (),
            roles=frozenset() if business else frozenset({role}),
        )
        monkeypatch.setattr(apps.Verifier, "verify", lambda _self, _token, reader=reader: reader)
        for unit in (unit for unit in apps.UNITS if unit != "portal"):
            path, opened = next(
                (path, roles) for _, path, roles in rights_table.pages() if path == f"/{unit}/"
            )
            with apps.application(unit) as app:
                answer = app.test_client().get(path, headers=SIGNED_IN)
                assert (answer.status_code != 403) == (role in opened), (role, path)
                asked += 1
        with apps.application("portal") as app:
            asked += _administration(app, role)
    print(f"check 21: {asked} pages x roles, all as the matrix says")


def _administration(app, role):
    there = set()
    for endpoint, path, methods in apps.table(app):
        if not endpoint.startswith("administration."):
            continue
        name = endpoint.partition(".")[2]
        there.add(name)
        verb = "POST" if "POST" in methods else "GET"
        answer = app.test_client().open(path, method=verb, headers=SIGNED_IN, data={"_csrf": "c" * 20})
        assert (answer.status_code != 403) == (role in PAGES[name].roles), (role, path, answer.status_code)
    assert there == set(PAGES), "a page that is missing from the table is shown to nobody"
    return len(there)
