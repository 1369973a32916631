"""What is recorded where the disk takes nothing."""

from __future__ import annotations

import pytest

from chassis.audit import Audit
from chassis.errors import Unavailable
from chassis.tests.helpers import settings


def test_a_login_must_be_recorded_and_a_refusal_happens_anyway(tmp_path):
    (tmp_path / "var").write_bytes(b"")  # where its folder should be
    full = Audit(settings(tmp_path / "var"), lambda: None)
    with pytest.raises(Unavailable):
        full.record("Login")
    assert full.record_if_possible("PageRefused", "FORBIDDEN", about="/x") is False
