"""Adding what may be there already, without a database; the rest of the repository is tried on a real one."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from chassis.aggregate import Request
from chassis.errors import exists
from chassis.tests.helpers import Thing, settings, things

FIRST, SECOND = Request("first", "a"), Request("second", "b")


class Records(dict[str, dict[str, Any]]):
    """A collection in memory; `unseen` ids are not found the next time that they are looked for."""

    unseen: set[str]

    def insert(self, record: dict[str, Any]) -> None:
        if record["_id"] in self:
            raise exists()
        self[record["_id"]] = record

    def get(self, key: str) -> dict[str, Any] | None:  # type: ignore[override]
        if key in self.unseen:
            self.unseen.remove(key)
            return None
        return super().get(key)

    def remove(self, key: str) -> None:
        self.pop(key, None)


@pytest.fixture
def records():
    made = Records()
    made.unseen = set()
    return made


@pytest.fixture
def repository(tmp_path, records):
    pending = Records()
    store = SimpleNamespace(collection=lambda name: records if name == "things" else pending)
    return things(store, settings(tmp_path))


def test_what_is_missing_is_added(repository):
    made = repository.add_if_missing(Thing(id="a", number=1), FIRST)
    assert (made.number, made.revision) == (1, 1)
    assert repository.get("a").number == 1


def test_what_is_there_stays_as_it_is(repository):
    repository.add(Thing(id="a", number=1), FIRST)
    assert repository.add_if_missing(Thing(id="a", number=2), SECOND) is None
    assert repository.add_if_missing(Thing(id="a", number=2), FIRST) is None
    assert repository.get("a").number == 1


def test_who_is_overtaken_between_looking_and_adding_finds_it_there(repository, records):
    repository.add(Thing(id="a", number=1), FIRST)
    records.unseen = {"a"}
    assert repository.add_if_missing(Thing(id="a", number=2), SECOND) is None
    assert repository.get("a").number == 1
    # The same request at the same time elsewhere: what that made is the answer.
    records.unseen = {"a"}
    assert repository.add_if_missing(Thing(id="a", number=2), FIRST).number == 1
