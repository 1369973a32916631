"""The whole stream once more, twice over and in random order: the services' state stays what it is."""

from __future__ import annotations

import hashlib
import random

import pytest

from tests.checks.platform import settings_of
from tests.checks.stream import State, Stream
from tests.inprocess import eventually
from tests.rules import tree

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]


def test_the_whole_stream_again_changes_nothing(stack):
    """# check 43: every event of the demonstration's weeks twice more, shuffled; over all services at once."""
    settings, services = settings_of(stack), [*tree.services(), "portal"]
    stream, state = Stream(settings), State(settings.mongo_uri, services)
    stream.settled(services)
    # A relay that was refused stands aside for a while.
    eventually(lambda: not state.unsent(), 120, pause=0.5)
    stream.settled(services)
    messages = [one for one in stream.everything() if one.subject.split(".")[1] in services]
    kinds = {(one.subject.split(".")[1], one.subject.rpartition(".")[2]) for one in messages}
    assert {service for service, _ in kinds} >= {"documents", "tasks"}
    before = state.hashes()
    again = messages * 2
    random.Random(43).shuffle(again)
    stream.again(again)
    stream.settled(services, 120)
    eventually(lambda: not state.unsent(), 120, pause=0.5)
    after = state.hashes()
    changed = sorted(name for name in before | after if before.get(name) != after.get(name))
    assert not changed, changed[:20]
    whole = hashlib.sha256(repr(sorted(after.items())).encode()).hexdigest()[:16]
    by_service = {service: sum(name.startswith(f"{service}/") for name in after) for service in services}
    print(
        f"check 43: {len(messages)} events of {len(kinds)} kinds, {len(again)} repeated in random order; {len(after)} records"
        f" ({', '.join(f'{name} {number}' for name, number in by_service.items())}), state hash {whole} unchanged"
    )
    state.close()
    stream.close()
