import contextlib
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.path_templates import BadPath, BadTemplate, parse


@pytest.mark.parametrize(
    ("template", "path", "values"),
    [
        ("/api/v1/x", "/api/v1/x", {}),
        ("/api/v1/x", "/api/v1/x/", None),
        ("/api/v1/x", "/api/v1/xy", None),
        ("/api/v1/{a}", "/api/v1/b", {"a": "b"}),
        ("/api/v1/{a}", "/api/v1/b/c", None),
        ("/api/v1/{a}", "/api/v1/", None),
        ("/api/v1/{a}", "/api/v1/b%2Fc", {"a": "b/c"}),
        ("/api/v1/{a}", "/api/v1/%E5%A4%A7%E5%BA%9C%E3%80%942026%E3%80%9512", {"a": "大府〔2026〕12"}),
        ("/api/v1/{a}", "/api/v1/documents%7C7%7C1", {"a": "documents|7|1"}),
        ("/api/v1/{a}:signOff", "/api/v1/b:signOff", {"a": "b"}),
        ("/api/v1/{a}:signOff", "/api/v1/b", None),
        ("/api/v1/{a}:signOff", "/api/v1/b:c:signOff", {"a": "b:c"}),
        ("/api/v1/todo:count", "/api/v1/todo:count", {}),
        ("/api/v1/{a=**}", "/api/v1/b/c/d", {"a": "b/c/d"}),
        ("/api/v1/{a=**}", "/api/v1/b%2Fc/d", {"a": "b%2Fc/d"}),
        ("/api/v1/{a=shelves/*}", "/api/v1/shelves/7", {"a": "shelves/7"}),
        ("/api/v1/{a=shelves/*}", "/api/v1/other/7", None),
        ("/api/v1/{a=shelves/*}:move", "/api/v1/shelves/7:move", {"a": "shelves/7"}),
        ("/api/v1/{a.b}/{c}", "/api/v1/x/y", {"a.b": "x", "c": "y"}),
        ("/api/v1/*/x", "/api/v1/any/x", {}),
        ("/api/v1/**", "/api/v1/any/x", {}),
    ],
)
def test_match(template, path, values):
    assert parse(template).match(path) == values


@pytest.mark.parametrize(
    "template",
    [
        "",
        "x",
        "/",
        "//x",
        "/x/",
        "/x//y",
        "/{",
        "/{}",
        "/{a}/{a}",
        "/{A}",
        "/{a=}",
        "/a b",
        "/{a=**}/b",
        "/x?y",
        "/{a.}",
        " /x",
    ],
)
def test_bad_templates_are_refused(template):
    with pytest.raises(BadTemplate):
        parse(template)


def test_path_that_is_not_utf8_is_refused():
    with pytest.raises(BadPath):
        parse("/x/{a}").match("/x/%ff")


def test_openapi_form():
    assert parse("/api/v1/{a=shelves/*}/{b}:move").openapi == "/api/v1/{a}/{b}:move"


def test_fixed_paths_come_before_variable_ones():
    order = ["/x/y", "/x/{a}:v", "/x/{a}", "/x/{a=**}"]
    mixed = [order[3], order[1], order[0], order[2]]
    assert sorted(mixed, key=lambda text: parse(text).specificity) == order


@given(st.text(alphabet=st.characters(exclude_categories=["Cs"]), min_size=1))
def test_any_value_comes_back_as_it_was(value):
    assert parse("/x/{a}/y").match(f"/x/{quote(value, safe='')}/y") == {"a": value}


@given(st.text(alphabet="/{}a*:=.%2F", max_size=30))
def test_any_text_is_a_template_or_refused(text):
    try:
        parsed = parse(text)
    except BadTemplate:
        return
    with contextlib.suppress(BadPath):
        parsed.match(text)
