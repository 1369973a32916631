import contextlib
import json

import pytest
from google.protobuf.message_factory import GetMessageClass
from hypothesis import given
from hypothesis import strategies as st

from chassis.errors import InvalidInput
from gateway import transcode
from gateway.routes import BadRoute, Routes
from gateway.tests.unit.fakes import sample_file, sample_routes

ROUTES = sample_routes()
Thing = GetMessageClass(sample_file().message_types_by_name["Thing"])


def build(verb, path, query=(), body=b""):
    route, values = ROUTES.find(verb, path)
    return transcode.build(route, values, query, body)


def test_path_query_and_body_meet_in_one_message():
    message = build(
        "PUT", "/api/v1/sample/things/t%2F1/content", [("title", "x"), ("etag", "7")], b'{"count":2}'
    )
    assert (message.thing, message.title, message.etag, message.content.count) == ("t/1", "x", "7", 2)


def test_query_knows_every_simple_kind():
    query = [
        ("count", "3"),
        ("big", "-9007199254740993"),
        ("ratio", "0.5"),
        ("open", "true"),
        ("state", "STATE_OPEN"),
        ("tags", "a"),
        ("tags", "b"),
        ("inner.title", "标题"),
        ("inner.inner.count", "1"),
        ("due_at", "2026-11-22T08:00:00Z"),
        ("states", "1"),
        ("states", "STATE_CLOSED"),
    ]
    message = build("GET", "/api/v1/sample/things", query)
    assert (message.count, message.big, message.ratio, message.open, message.state) == (
        3,
        -9007199254740993,
        0.5,
        True,
        1,
    )
    assert (list(message.tags), list(message.states)) == (["a", "b"], [1, 2])
    assert (message.inner.title, message.inner.inner.count, message.due_at.seconds) == ("标题", 1, 1795334400)


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ([("nope", "1")], "nope"),
        ([("inner", "1")], "inner"),
        ([("things.title", "1")], "things.title"),
        ([("title.x", "1")], "title.x"),
        ([("count", "x")], "count"),
        ([("count", "")], "count"),
        ([("open", "yes")], "open"),
        ([("ratio", "nan")], "ratio"),
        ([("ratio", "x")], "ratio"),
        ([("state", "NOPE")], "state"),
        ([("state", "99")], "state"),
        ([("title", "a"), ("title", "b")], "title"),
        ([("due_at", "x")], "due_at"),
        ([("title", "a\x00b")], "title"),
        ([("labels.x", "1")], "labels.x"),
        ([("labels", "1")], "labels"),
        ([("", "1")], ""),
        ([("tags.x", "1")], "tags.x"),
        ([("$where", "1")], "$where"),
        ([("title[$ne]", "1")], "title[$ne]"),
    ],
)
def test_bad_query_names_its_field(query, field):  # check 32
    with pytest.raises(InvalidInput) as refused:
        build("GET", "/api/v1/sample/things", query)
    assert list(refused.value.fields) == [field]


def test_path_field_may_be_repeated_in_the_body_only_with_the_same_value():
    assert build("PATCH", "/api/v1/sample/things/t1", body=b'{"thing":"t1","title":"x"}').thing == "t1"
    with pytest.raises(InvalidInput):
        build("PATCH", "/api/v1/sample/things/t1", body=b'{"thing":"t2"}')
    with pytest.raises(InvalidInput):
        build("DELETE", "/api/v1/sample/things/t1", [("thing", "t1")])


def test_whole_body_leaves_no_query():
    with pytest.raises(InvalidInput):
        build("PATCH", "/api/v1/sample/things/t1", [("title", "x")], b"{}")


def test_body_where_none_is_expected_is_refused():
    with pytest.raises(InvalidInput):
        build("GET", "/api/v1/sample/things", body=b"{}")


def test_verb_goes_before_variable():
    assert ROUTES.find("GET", "/api/v1/sample/things:count")[0].method.name == "CountThings"
    assert ROUTES.find("POST", "/api/v1/sample/things/a:close")[0].method.name == "CloseThing"
    assert ROUTES.find("POST", "/api/v1/sample/things/a:open") is None
    assert ROUTES.verbs("/api/v1/sample/things/a") == ["DELETE", "GET", "PATCH"]


def test_answer_has_all_fields_with_their_own_names():
    route, _ = ROUTES.find("GET", "/api/v1/sample/things")
    answer = json.loads(transcode.to_json(route, Thing(title="标题", big=1 << 60)))
    assert answer["title"] == "标题"
    assert answer["big"] == str(1 << 60)
    assert (answer["tags"], answer["etag"], answer["state"]) == ([], "", "STATE_UNSPECIFIED")


def test_two_methods_on_one_path_are_refused():
    with pytest.raises(BadRoute):
        Routes([*ROUTES.all, ROUTES.all[0]])


@given(
    st.lists(
        st.tuples(
            st.text(max_size=12) | st.sampled_from(["title", "count", "tags", "inner.title", "inner"]),
            st.text(max_size=12),
        ),
        max_size=5,
    )
)
def test_any_query_is_a_message_or_a_refusal(query):
    # Any other exception than a refusal fails the test.
    with contextlib.suppress(InvalidInput):
        build("GET", "/api/v1/sample/things", query)
