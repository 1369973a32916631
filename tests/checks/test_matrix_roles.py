"""Everybody's kind against every method of the running platform: the tables of who may call, through the real tokens."""

from __future__ import annotations

import pytest

from chassis.identity import principal_of
from tests.checks.forging import parts
from tests.checks.platform import Doors
from tests.rules import tree

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]
PEOPLE = ("qfb.mishu1", "qfb.wenshu", "qfb.mishu", "qfb.zhuren", "sysadmin", "secadmin", "auditor")


def test_a_kind_that_is_not_named_is_refused_and_one_that_is_gets_in(stack, people):
    """# check 19: the portal whole (its things belong to nobody but the caller), the others as far as their tables go."""
    doors, cells, wrong = Doors(stack), 0, []
    for username in PEOPLE:
        token = people.token(username)
        callers = principal_of(parts(token)[1]).callers
        assert callers, username
        for unit, method in doors.methods():
            named = bool(tree.who(unit)[method.name] & callers)
            code = doors.ask(unit, method, [("authorization", f"Bearer {token}")]).name
            cells += 1
            # An empty request goes no further than to be refused as such, or to an empty answer.
            if named and unit == "portal" and code in ("PERMISSION_DENIED", "UNAUTHENTICATED"):
                wrong.append((username, method.full_name, code))
            if not named and code != "PERMISSION_DENIED":
                wrong.append((username, method.full_name, code))
    doors.close()
    assert not wrong
    print(
        f"check 19: {len(PEOPLE)} kinds of people x {cells // len(PEOPLE)} methods: {cells} cells, 100 % as the tables say"
    )
