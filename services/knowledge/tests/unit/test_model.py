"""The rules of items: who reads, who keeps, what may change."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chassis.errors import Forbidden, InvalidInput, WrongState
from chassis.identity_types import Principal
from services.knowledge.model.description import Description, admit_level, described
from services.knowledge.model.item import VERSIONS, Content, Item, Version

AT = datetime(2026, 5, 1, tzinfo=UTC)
UNITS, ROLES = ["zfb", "fgw", "jtj"], ["member", "registrar", "head", "leader"]


def item(**given_):
    known = {
        "id": "i1",
        "title": "题目",
        "kind": "reference",
        "source": "upload",
        "matter": "i1",
        "created_at": AT,
        "updated_at": AT,
        "created_by": "zhang",
        "keeper": "zfb",
        "readers": ("u:zfb",),
        "versions": [Version(1, AT, "zhang", "", Content("digest-1", text="一"))],
    }
    return Item(**known | given_)


def person(name="zhang", *posts, clearance=0):
    return Principal(person=name, posts=posts or ("zfb:member",), clearance=clearance)


@given(
    level=st.integers(0, 3),
    clearance=st.integers(0, 3),
    state=st.sampled_from(["current", "withdrawn"]),
    readers=st.lists(
        st.sampled_from(["all", "p:li", *(f"u:{unit}" for unit in UNITS), "u:fgw:leader"]), max_size=3
    ),
    name=st.sampled_from(["zhang", "li", "wang"]),
    posts=st.lists(
        st.tuples(st.sampled_from(UNITS), st.sampled_from(ROLES)).map(":".join), min_size=1, max_size=2
    ),
)
def test_reading_takes_both_a_token_and_the_clearance_and_a_withdrawn_item_a_keeper(
    level, clearance, state, readers, name, posts
):
    one = item(level=level, readers=tuple(readers), state=state)
    who = Principal(person=name, posts=tuple(posts), clearance=clearance)
    keeps = name == "zhang" or any(post in ("zfb:registrar", "zfb:head") for post in posts)
    units = {post.partition(":")[0] for post in posts}
    meant = (
        "all" in readers
        or f"p:{name}" in readers
        or any(f"u:{unit}" in readers for unit in units)
        or ("u:fgw:leader" in readers and "fgw:leader" in posts)
    )
    expected = level <= clearance and (meant if state == "current" else keeps)
    assert one.readable_by(who) == expected
    assert one.kept_by(who) == (expected and keeps)


def test_the_search_and_reading_know_one_audience():
    one = item(readers=("all",))
    assert one.audience() == ("all",)
    one.withdraw(AT)
    assert set(one.audience()) == {"p:zhang", "u:zfb:registrar", "u:zfb:head"}


def test_a_withdrawn_item_is_changed_only_by_restoring_it():
    one = item()
    one.withdraw(AT)
    for change in (
        lambda: one.withdraw(AT),
        lambda: one.replace(Content("digest-2"), "zhang", AT),
        lambda: one.describe(one.description(()), AT),
    ):
        with pytest.raises(WrongState):
            change()
    one.restore(AT)
    with pytest.raises(WrongState):
        one.restore(AT)


def test_versions_count_up_and_the_same_content_is_none():
    one = item()
    one.replace(Content("digest-1", text="一"), "li", AT)
    assert one.version == 1
    one.replace(Content("digest-2", text="二"), "li", AT, "改")
    assert (one.version, one.content.text, one.at_version(1).content.text) == (2, "二", "一")
    assert one.at_version(0) is one.versions[-1]
    assert one.at_version(3) is None


def test_versions_end_at_the_limit():
    one = item()
    for number in range(VERSIONS - 1):
        one.replace(Content(f"other-{number}"), "li", AT)
    with pytest.raises(WrongState):
        one.replace(Content("one too many"), "li", AT)


def test_of_a_filed_document_people_change_the_categories_only():
    one = item(source="documents", kind="archive")
    one.describe(one.description(("防汛",)), AT)
    assert one.categories == ("防汛",)
    said = one.description(())
    for name, value in (
        ("title", "改题"),
        ("readers", ("all",)),
        ("level", 1),
        ("document_number", "x"),
        ("date", AT),
    ):
        changed = Description(**{**said.__dict__, name: value})
        with pytest.raises(Forbidden):
            one.describe(changed, AT)
    with pytest.raises(Forbidden):
        one.replace(Content("digest-2"), "zhang", AT)
    with pytest.raises(Forbidden):
        one.withdraw(AT)


def test_a_refiled_document_takes_all_but_the_categories():
    one = item(source="documents", categories=("防汛",), sequence=1)
    newer = item(source="documents", title="新题", readers=("all",), sequence=2)
    one.refile(newer)
    assert (one.title, one.readers, one.sequence, one.categories, one.version) == (
        "新题",
        ("all",),
        2,
        ("防汛",),
        1,
    )
    one.refile(item(source="documents", sequence=3, versions=[Version(1, AT, "", "", Content("digest-2"))]))
    assert one.version == 2


@pytest.mark.parametrize(
    ("field", "wrong"),
    [
        ("title", {"title": " \n "}),
        ("title", {"title": "长" * 301}),
        ("kind", {"kind": "archive"}),
        ("kind", {"kind": ""}),
        ("readers", {"readers": ["u:a b"]}),
        ("readers", {"readers": ["everybody"]}),
        ("readers", {"readers": ["u:zfb:admin"]}),
        ("readers", {"readers": ["all@3"]}),
        ("level", {"level": 4}),
        ("level", {"level": -1}),
        ("categories", {"categories": [str(number) for number in range(21)]}),
        ("categories", {"categories": ["长" * 41]}),
        ("document_number", {"document_number": "号" * 101}),
    ],
)
def test_a_description_beyond_the_limits_names_the_field(field, wrong):
    with pytest.raises(InvalidInput) as refused:
        described(**{"title": "题目", "kind": "reference", "readers": ["u:zfb"]} | wrong)
    assert list(refused.value.fields) == [field]


def test_a_description_is_tidied():
    said = described(" 题\n目 ", "reference", ["u:zfb", "u:zfb", "all"], categories=[" 甲  乙 ", "", "甲 乙"])
    assert (said.title, said.readers, said.categories) == ("题 目", ("u:zfb", "all"), ("甲 乙",))


def test_levels_are_admitted_up_to_the_network_and_the_person():
    admit_level(1, 1, 1)
    with pytest.raises(InvalidInput) as refused:
        admit_level(1, 3, 0)
    assert refused.value.reason == "LEVEL_NOT_ADMITTED"
    with pytest.raises(InvalidInput):
        admit_level(2, 1, 3)
