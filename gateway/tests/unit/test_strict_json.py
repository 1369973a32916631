"""# checks 32 and 33: JSON of strangers."""

import contextlib
import json
import time

import pytest
from google.protobuf.message_factory import GetMessageClass
from hypothesis import given
from hypothesis import strategies as st

from chassis.errors import InvalidInput
from gateway import strict_json
from gateway.tests.unit.fakes import sample_file

Thing = GetMessageClass(sample_file().message_types_by_name["Thing"])


def parse(text):
    message = Thing()
    strict_json.fill(
        message, strict_json.loads(text if isinstance(text, bytes) else text.encode("utf-8", "surrogatepass"))
    )
    return message


def test_all_kinds_of_fields():
    message = parse(
        '{"thing":"t","count":3,"big":"9007199254740993","ratio":0.5,"open":true,"state":"STATE_OPEN","tags":["a","b"],'
        '"inner":{"title":"标题"},"things":[{"count":1}],"due_at":"2026-11-22T08:00:00Z","data":"YQ==","states":[1,"STATE_CLOSED"],'
        '"labels":{"k":"v"}}'
    )
    assert message.big == 9007199254740993
    assert message.inner.title == "标题"
    assert list(message.states) == [1, 2]
    assert message.due_at.seconds == 1795334400


@pytest.mark.parametrize(
    ("text", "field"),
    [
        ('{"title":"a","title":"b"}', "title"),
        ('{"inner":{"title":"a","title":"b"}}', "title"),
        ('{"ratio":NaN}', ""),
        ('{"ratio":Infinity}', ""),
        ('{"ratio":-Infinity}', ""),
        ('{"ratio":1e999}', "ratio"),
        ('{"ratio":"NaN"}', "ratio"),
        ('{"ratio":true}', "ratio"),
        ('{"title":"\\ud800"}', "title"),
        ('{"title":"a\\u0000b"}', "title"),
        ('{"tags":["a","\\udfff"]}', "tags[1]"),
        ('{"\\ud800":1}', "\ufffd"),
        ('{"nope":1}', "nope"),
        ('{"inner":{"nope":1}}', "inner.nope"),
        ('{"things":[{},{"nope":1}]}', "things[1].nope"),
        ('{"dueAt":"2026-11-22T08:00:00Z"}', "dueAt"),
        ('{"due_at":"morgen"}', "due_at"),
        ('{"due_at":{"$gt":""}}', "due_at"),
        ('{"title":{"$ne":""}}', "title"),
        ('{"title":["a"]}', "title"),
        ('{"title":1}', "title"),
        ('{"$where":"1"}', "$where"),
        ('{"title.x":"1"}', "title.x"),
        ('{"labels":{"$set":"x"}}', "labels.$set"),
        ('{"labels":{"a.b":"x"}}', "labels.a.b"),
        ('{"labels":{"a":{"$ne":1}}}', "labels.a"),
        ('{"count":"x"}', "count"),
        ('{"count":1.5}', "count"),
        ('{"count":true}', "count"),
        ('{"count":4294967296}', "count"),
        ('{"open":"true"}', "open"),
        ('{"open":1}', "open"),
        ('{"state":"NOPE"}', "state"),
        ('{"state":99}', "state"),
        ('{"state":"\\ud800"}', "state"),
        ('{"state":1.5}', "state"),
        ('{"tags":"a"}', "tags"),
        ('{"tags":[1]}', "tags[0]"),
        ('{"tags":[null]}', "tags[0]"),
        ('{"inner":[]}', "inner"),
        ('{"data":"%"}', "data"),
        ("[]", ""),
        ("null", ""),
        ("1", ""),
        ('"x"', ""),
        ("", ""),
        ("{", ""),
        ('{"a":1}x', ""),
        ("{'a':1}", ""),
        (b"\xff", ""),
        (b'{"title":"\xed\xa0\x80"}', ""),
    ],
)
def test_refused_with_its_field(text, field):  # check 32, check 33
    with pytest.raises(InvalidInput) as refused:
        parse(text)
    assert list(refused.value.fields) == [field]


@pytest.mark.parametrize(
    "text",
    [
        "[" * 10_000,
        '{"inner":' * 10_000,
        '{"inner":' * 100 + "{}" + "}" * 100,
        '{"things":[' * 60 + "]}" * 60,
        "{" + ",".join(f'"a{i}":1' for i in range(350_000)) + "}",
        "[" + "{}," * 1_000_000 + "1]",
        '{"title":"' + "9" * 4_000_000,
        '{"count":' + "9" * 4_000_000 + "}",
    ],
    ids=[
        "arrays",
        "objects",
        "100 levels",
        "60 doubled levels",
        "350,000 keys",
        "1,000,000 objects",
        "open string",
        "long number",
    ],
)
def test_large_and_deep_input_is_refused_quickly(text):  # check 33
    data = text.encode()
    started = time.process_time()
    with pytest.raises(InvalidInput):
        parse(data)
    assert time.process_time() - started < 0.1


def test_depth_of_64_is_allowed():
    assert parse('{"inner":' * 60 + "{}" + "}" * 60).HasField("inner")


_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from([field.name for field in Thing.DESCRIPTOR.fields]) | st.text(), inner, max_size=4
        )
    ),
    max_leaves=20,
)


@given(_json)
def test_whatever_comes_is_a_message_or_a_refusal(value):
    # Any other exception than a refusal fails the test.
    with contextlib.suppress(InvalidInput):
        parse(json.dumps(value))


@given(st.binary(max_size=200))
def test_bytes_never_break_it(data):
    with contextlib.suppress(InvalidInput):
        parse(data)
