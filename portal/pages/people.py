"""The directory: units as a tree, people in them, a search.

And the suggestions of every people and unit picker.
"""

from __future__ import annotations

from typing import Any

from flask import Blueprint, g, render_template, request
from tongban.portal.v1 import directory_pb2 as pb

from portal.pages import calls

views = Blueprint("people", __name__)
SUGGESTIONS = 20


@views.get("/directory")
def directory() -> str:
    units = {unit.unit: unit for unit in calls.directory().ListUnits(pb.ListUnitsRequest()).units}
    chosen = units.get(request.args.get("unit", ""))
    words = request.args.get("q", "").strip()[:100]
    people = []
    if chosen or words:
        wanted = pb.SearchPeopleRequest(words=words, unit=chosen.unit if chosen else "", page_size=200)
        people = calls.directory().SearchPeople(wanted).people
    children: dict[str, list[pb.Unit]] = {}
    for unit in units.values():
        children.setdefault(unit.parent, []).append(unit)
    return render_template(
        "directory.html",
        nav="directory",
        chosen=chosen,
        above=_above(units, chosen),
        children=children,
        people=people,
        words=words,
    )


@views.get("/directory/pick")
def pick() -> str:
    words = request.args.get("q", "").strip()[:100]
    items = _units(words) if request.args.get("kind") == "unit" else _people(words)
    return render_template("pick.html", items=items, words=words)


def _people(words: str) -> list[dict[str, Any]]:
    unit = request.args.get("unit", "")
    if not unit and not words:
        unit = g.principal.unit
    wanted = pb.SearchPeopleRequest(
        words=words, unit=unit, role=request.args.get("role", ""), page_size=SUGGESTIONS
    )
    units = _names()
    return [
        {
            "value": person.person,
            "label": person.name,
            "note": " · ".join(filter(None, [_place(person, units), person.title])),
        }
        for person in calls.directory().SearchPeople(wanted).people
    ]


def _units(words: str) -> list[dict[str, Any]]:
    kind, within = request.args.get("unit_kind", "any"), request.args.get("unit", "")
    found = []
    units = _names()
    for unit in units.values():
        if within and all(one.unit != within for one in _above(units, unit)):
            continue
        text = f"{unit.name} {unit.short_name}".casefold()
        if kind in ("any", "", unit.kind) and all(word in text for word in words.casefold().split()):
            above = units.get(unit.parent)
            found.append({"value": unit.unit, "label": unit.name, "note": above.name if above else ""})
    return found if not words and kind == "organisation" else found[:SUGGESTIONS]


def _names() -> dict[str, pb.Unit]:
    return {unit.unit: unit for unit in calls.directory().ListUnits(pb.ListUnitsRequest()).units}


def _place(person: pb.Person, units: dict[str, pb.Unit]) -> str:
    unit = units.get(person.posts[0].partition(":")[0]) if person.posts else None
    return (unit.short_name or unit.name) if unit else ""


def _above(units: dict[str, pb.Unit], unit: pb.Unit | None) -> list[pb.Unit]:
    """The units above, the highest first."""
    found: list[pb.Unit] = []
    while unit is not None and unit.parent in units and len(found) < 20:
        unit = units[unit.parent]
        found.insert(0, unit)
    return found
