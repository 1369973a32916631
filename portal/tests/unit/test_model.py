"""The catalogue's rules and those of the directory."""

from __future__ import annotations

import pytest
from tongban.portal.v1.directory_pb2 import Person, Unit

from chassis.errors import InvalidInput
from chassis.identity_types import Principal
from portal.directory.rules import check_people, check_units
from portal.model import App, Connector, FormLogin

PERSON = "0a1b2c3d-0000-0000-0000-000000000001"


def app(audience=("all",), **changes) -> App:
    connector = changes.pop("connector", Connector("bookmark", "http://old.example/"))
    facts = {"name": "应用", "icon": "link", "description": "", "category": "", **changes}
    return App(id=facts.pop("id", "oa"), audience=list(audience), connector=connector, **facts)


@pytest.mark.parametrize(
    ("audience", "posts", "may"),
    [
        (["all"], ("fgw:member",), True),
        (["u:fgw"], ("fgw:head",), True),
        (["u:fgw:member"], ("fgw:head",), True),
        (["u:fgw:leader"], ("fgw:head",), False),
        (["u:czj"], ("fgw:head",), False),
        (["u:czj", "u:fgw"], ("fgw:head",), True),
        (["u:fgw"], ("fgw-zh:member",), False),
        ([f"p:{PERSON}"], ("czj:member",), True),
        (["p:0a1b2c3d-0000-0000-0000-000000000002"], ("czj:member",), False),
        (["all"], (), False),
    ],
)
def test_who_may_open(audience, posts, may):
    assert (app(audience).refusal(Principal(PERSON, posts=posts)) == "") is may


def test_a_refusal_says_why_and_a_removed_app_opens_for_nobody():
    assert "授权" in app(["u:czj"]).refusal(Principal(PERSON, posts=("fgw:member",)))
    assert "管理员" in app().refusal(Principal(PERSON, roles=frozenset({"system_administrator"})))
    assert "下线" in app(removed=True).refusal(Principal(PERSON, posts=("fgw:member",)))


@pytest.mark.parametrize(
    "bad",
    [
        app(id="Bad Id"), app(id="-a"), app(id="a.b"), app(name=""), app([]), app(["everyone"]),
        app(["u:fgw:king"]), app(probe="http://x"),
        app(probe="//evil.example"), app(connector=Connector("telnet", "http://x.example/")),
        app(connector=Connector("bookmark", "javascript:alert(1)")),
        app(connector=Connector("header", "http://x.example/", header="Cookie")),
        app(connector=Connector("header", "http://x.example/", header="X: y\r\nZ")),
        app(connector=Connector("form", "http://x.example/", form=FormLogin(login_path="http://evil.example/"))),
        app(connector=Connector("form", "http://x.example/", form=FormLogin(login_path="//evil.example/"))),
        app(connector=Connector("form", "http://x.example/", form=FormLogin(digest="rot13"))),
        app(connector=Connector("form", "http://x.example/", form=FormLogin(success="cookie"))),
        app(category="类" * 21), app(icon="i" * 33), app(probe="/" + "p" * 500),
        app(connector=Connector("bookmark", "http://x.example/" + "p" * 2000)),
        app(connector=Connector("form", "http://x.example/", form=FormLogin(login_path="/" + "p" * 500))),
        app(connector=Connector("form", "http://x.example/", form=FormLogin(success="text", success_value="x" * 201))),
        app(connector=Connector("form", "http://x.example/", form=FormLogin(fields={"x": "y" * 201}))),
        app(connector=Connector("form", "http://x.example/", form=FormLogin(fields={"x" * 101: "y"}))),
        app(connector=Connector("form", "http://x.example/", form=FormLogin(fields={f"f{one}": "" for one in range(31)}))),
        # What another kind has no use for is kept all the same.
        app(connector=Connector("bookmark", "http://x.example/", form=FormLogin(username_field="x" * 101))),
    ],
)  # fmt: skip
def test_unacceptable_records_name_their_field(bad):
    with pytest.raises(InvalidInput) as caught:
        bad.check()
    assert caught.value.fields


def unit(key: str, parent: str = "", kind: str = "organisation") -> Unit:
    return Unit(unit=key, name=key, parent=parent, kind=kind)


def test_units_are_ordered_parents_first():
    given = [unit("c", "b", "division"), unit("b", "a"), unit("a")]
    assert [one.unit for one in check_units(given, {})] == ["a", "b", "c"]


@pytest.mark.parametrize(
    "units",
    [
        [unit("A")], [unit("a b")], [unit("x" * 33)], [unit("a", "nowhere")],
        [unit("a", "b"), unit("b", "a")], [unit("a", "a")],
        [unit("a"), unit("a")], [unit("a", kind="club")], [unit("d", kind="division"), unit("o", "d")],
        [Unit(unit="a", kind="division")],
        [unit(f"u{number}") for number in range(101)],
        [Unit(unit="a", name="甲", kind="organisation", short_name="甲" * 51)],
        [Unit(unit="a", name="甲", kind="organisation", category="x" * 33)],
        [Unit(unit="a", name="甲", kind="organisation", organ_code="云" * 21)],
    ],
)  # fmt: skip
def test_units_that_are_refused(units):
    with pytest.raises(InvalidInput):
        check_units(units, {})


def test_people_three_roles_apart():  # check 21
    good = {"username": "wang", "name": "王"}
    check_people([Person(**good, posts=["fgw:head"])], {"fgw"})
    check_people([Person(**good, roles=["auditor"])], {"fgw"})
    for bad in (
        {"roles": ["auditor", "system_administrator"]}, {"roles": ["auditor"], "posts": ["fgw:member"]},
        {"roles": ["root"]},
        {"posts": ["fgw:king"]}, {"posts": ["czj:member"]}, {"posts": ["fgw"]}, {"clearance": 4},
        {"clearance": -1}, {"title": "长" * 65}, {"initial_password": "x" * 129}, {"person": "x" * 37}, {"posts": ["fgw:head"] * 51},
    ):  # fmt: skip
        with pytest.raises(InvalidInput):
            check_people([Person(**good, **bad)], {"fgw"})


@pytest.mark.parametrize("username", ["", "A", "王五", "service-account-svc-portal", "a b", "x" * 65, "a\n"])
def test_usernames_that_are_refused(username):
    with pytest.raises(InvalidInput):
        check_people([Person(username=username, name="王")], set())
