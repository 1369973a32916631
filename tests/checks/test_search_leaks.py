"""Random questions of restricted people to the real registers: nothing that they are told depends on what they may not see."""

from __future__ import annotations

import itertools
import random

import pytest

from chassis.errors import InvalidInput, TongbanError
from tests.checks.world import as_, staff
from tests.checks.worlds import Documents, Knowledge, Tasks

QUESTIONS = 340  # to each of the three registers
READERS = 10


def answered(world, register, question, reader):
    """All pages of an answer together; a question that is refused is an answer as well."""
    rows, beside, after = {}, None, ""
    try:
        for _ in range(40):
            page, beside_page, after = world.ask(register, question, reader, after)
            rows |= page
            beside = beside or beside_page
            if not after:
                break
    except TongbanError as problem:
        return {}, {"refused": problem.reason}
    return rows, beside


@pytest.mark.timeout(240)
@pytest.mark.parametrize("kind", [Documents, Tasks, Knowledge], ids=lambda kind: kind.__name__.lower())
def test_an_answer_is_as_if_nothing_else_existed(kind, tmp_path):
    """# check 22: hits, counts, facets, snippets and suggestions, against a register that holds only what the reader may see."""
    dice = random.Random(22)
    people = staff(dice)
    world = kind(dice, people)
    whole = world.filled(tmp_path / "whole", None)
    readers = [one for one in people.values() if 3 < len(world.visible_ids(one)) < 150][:READERS]
    assert len(readers) == READERS
    hits = hidden = 0
    tokens: list[tuple[object, str]] = []
    for reader in readers:
        own = world.filled(tmp_path / reader.person, reader)
        visible = world.visible_ids(reader)
        for _ in range(QUESTIONS // READERS):
            question = world.question(reader)
            with as_(reader):
                said, truth = answered(world, whole, question, reader), answered(world, own, question, reader)
                assert set(said[0]) <= visible, (reader, question)
                assert said == truth, (reader, question)
                tokens += with_token(world, whole, question, reader)
            hits += len(said[0])
        hidden += sum(len(world.records[one]) for one in world.kinds) - len(visible)
    stolen = stolen_tokens(world, whole, tokens, readers)
    print(
        f"check 22: {kind.__name__.lower()}: {QUESTIONS} random questions of {READERS} people, {hits} hits; 0 of {hidden} hidden"
        f" records told by a hit, count, facet, snippet or suggestion; {stolen} stolen page tokens, 0 further"
    )


def with_token(world, register, question, reader):
    """The question with the token of its second page, when it has one."""
    try:
        after = world.ask(register, question, reader, "")[2]
    except InvalidInput:
        return []
    return [(question, after)] if after else []


def stolen_tokens(world, register, tokens, readers):
    """A page token that somebody else got leads to nothing but one's own."""
    tried = 0
    for (question, after), reader in itertools.islice(itertools.product(tokens, readers), 300):
        with as_(reader):
            try:
                rows = world.ask(register, question, reader, after)[0]
            except TongbanError:
                rows = {}
        assert set(rows) <= world.visible_ids(reader)
        tried += 1
    return tried
