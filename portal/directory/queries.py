"""What can be asked of the directory. Answered out of the copy of the bucket; Keycloak is never asked."""

from __future__ import annotations

from tongban.portal.v1.directory_pb2 import Person

from chassis.directory import Directory
from chassis.errors import invalid

MOST, USUAL = 500, 50


def search_people(directory: Directory, words: str, unit: str, role: str, size: int) -> list[Person]:
    """People whose name, username or title contains every word, in `unit` or below it, holding `role` there.

    Not the disabled.

    Exact names stand before mere beginnings, those before the rest; within these the directory's own order.
    Raises InvalidInput.
    """
    if len(words) > 100:
        raise invalid(words="搜索词过长")
    wanted = [word.casefold() for word in words.split()]
    within = units_below(directory, unit) if unit else None
    hits = [
        person
        for person in directory.people()
        if not person.disabled and _matches(person, wanted) and _holds(person, within, role)
    ]
    hits.sort(key=lambda person: _rank(person, words.strip().casefold()))
    return hits[:size]


def units_below(directory: Directory, unit: str) -> set[str]:
    """The unit and everything below it."""
    children: dict[str, list[str]] = {}
    for one in directory.units():
        children.setdefault(one.parent, []).append(one.unit)
    found: set[str] = set()
    waiting = [unit]
    while waiting:
        step = waiting.pop()
        if step not in found:
            found.add(step)
            waiting += children.get(step, [])
    return found


def _matches(person: Person, words: list[str]) -> bool:
    text = f"{person.name} {person.username} {person.title}".casefold()
    return all(word in text for word in words)


def _holds(person: Person, units: set[str] | None, role: str) -> bool:
    if units is None and not role:
        return True
    for post in person.posts:
        unit, _, held = post.partition(":")
        # Who has any post in a unit is its member too.
        if (units is None or unit in units) and role in ("", "member", held):
            return True
    return False


def _rank(person: Person, words: str) -> int:
    if not words or words in (person.name.casefold(), person.username):
        return 0
    return 1 if person.name.casefold().startswith(words) or person.username.startswith(words) else 2
