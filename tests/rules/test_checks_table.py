"""docs/checks.md says of each check what the tests say: no more, no less."""

from __future__ import annotations

from tests.rules import checks_table

UPDATE = "run: python3 -m deploy.local.tool python -m tests.rules.checks_table"


def test_the_table_tells_what_the_tests_show():
    text, known = checks_table.TABLE.read_text(), checks_table.marks()
    written = checks_table.rows(text)
    assert [row.number for row in written] == list(range(1, 101))
    assert set(known) <= set(range(1, 101)), "a test carries the number of a check that there is not"
    wrong = [row.number for row in written if checks_table.right(row, known) != row]
    assert not wrong, f"{UPDATE} (differs: {wrong})"
    assert f"**Now: {checks_table.summary(written)}.**" in text, UPDATE


def test_what_is_shown_in_part_says_what_is_missing():
    for row in checks_table.rows(checks_table.TABLE.read_text()):
        assert row.state in checks_table.STATES, row.number
        assert row.remark or row.state != "in part", f"{row.number}: say what is missing"


def test_every_test_that_is_named_is_there_and_holds_tests():
    named = {path for row in checks_table.rows(checks_table.TABLE.read_text()) for path in row.tests}
    for path in named:
        assert "def test_" in (checks_table.tree.ROOT / path).read_text(), path
