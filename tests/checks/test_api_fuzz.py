"""The API under schemathesis for some seconds, with a fixed seed; `make fuzz MINUTES=10` is the long form."""

from __future__ import annotations

import os
import warnings

import pytest

from tests.checks.fuzzing import ROLES, Fuzzer

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]
SECONDS = float(os.environ.get("TONGBAN_FUZZ_SECONDS", "12"))


def test_no_request_is_answered_by_a_fault(stack, people):
    """# check 93: every operation of the description, wrong and right requests, as every role: no 5xx, no status that is not described."""
    warnings.simplefilter("ignore")
    for user in filter(None, ROLES.values()):
        people.token(user)
    fuzzer = Fuzzer(stack.url, str(stack.ca), people.token, 93, known=False)
    report = fuzzer.run(SECONDS)
    assert not report.wrong, "\n".join(f"{kind}: {example}" for kind, example in report.wrong.items())
    assert set(report.sent) == set(ROLES), "some role asked nothing"
    print(f"check 93: {report}")
