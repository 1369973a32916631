"""One effect and one answer per request id, on a real store."""

from __future__ import annotations

import uuid
from concurrent.futures import ThreadPoolExecutor

import pytest
from tongban.portal.v1 import directory_pb2 as pb

from chassis.aggregate import Request
from chassis.errors import InvalidInput, Unavailable, not_found
from portal import answers

pytestmark = pytest.mark.integration


@pytest.fixture
def store(parts):
    return parts.chassis.store


def effect(done, number=1):
    def run():
        done.append(number)
        return pb.SaveUnitsResponse(created=len(done))

    return run


def test_the_same_id_a_hundred_times_is_one_effect_and_one_answer(store):
    """# check 42: what is saved in Keycloak and told to the broker"""
    request, done = Request(uuid.uuid4().hex, "d"), []

    def ask(_):
        try:
            return answers.once(store, request, pb.SaveUnitsResponse, effect(done)).created
        except Unavailable as problem:
            return problem.reason

    with ThreadPoolExecutor(16) as threads:
        said = set(threads.map(ask, range(100)))
    assert done == [1]
    assert said <= {1, "UNDER_WAY"}
    assert ask(0) == 1
    print("check 42: 100 calls with one id: 1 effect, 1 answer")


def test_the_same_id_with_other_content_is_refused(store):
    key, done = uuid.uuid4().hex, []
    answers.once(store, Request(key, "one"), pb.SaveUnitsResponse, effect(done))
    with pytest.raises(InvalidInput, match="other content"):
        answers.once(store, Request(key, "two"), pb.SaveUnitsResponse, effect(done))
    assert done == [1]


def test_what_failed_may_be_tried_again_and_what_was_cut_off_too(store, monkeypatch):
    request, done = Request(uuid.uuid4().hex, "d"), []

    def fails():
        raise not_found("死信")

    with pytest.raises(type(not_found(""))):
        answers.once(store, request, pb.SaveUnitsResponse, fails)
    # A process that ended before it could answer: its claim stands, and is taken for dead after a while.
    store.collection("answers").claim(request.key, "gone", digest="d", begun=0.0)
    assert answers.once(store, request, pb.SaveUnitsResponse, effect(done)).created == 1
    assert answers.once(store, request, pb.SaveUnitsResponse, effect(done)).created == 1
    assert done == [1]
