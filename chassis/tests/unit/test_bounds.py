"""How much may be asked for at a time."""

from __future__ import annotations

import pytest

from chassis.bounds import page_size, too_long
from chassis.errors import InvalidInput


def test_a_page_is_as_long_as_asked_and_no_longer_than_allowed():
    assert [page_size(asked, 20, 100) for asked in (0, 1, 100, 101, 2**31 - 1)] == [20, 1, 100, 100, 100]


@pytest.mark.parametrize("asked", [-1, -(2**31)])
def test_a_page_of_fewer_than_none_is_refused(asked):
    with pytest.raises(InvalidInput) as problem:
        page_size(asked, 20, 100)
    assert set(problem.value.fields) == {"page_size"}


def test_what_is_too_long_is_said_by_its_name():
    assert too_long({"title": ("标题", "长" * 11, 10), "place": ("地点", "长" * 10, 10)}) == {
        "title": "标题不能超过10字"
    }
