"""The list as a file for a spreadsheet: nothing that somebody wrote becomes a formula. # check 31"""

from __future__ import annotations

import csv
import io

import pytest

from chassis.errors import InvalidInput
from services.audit.csv_export import HEAD, pieces
from services.audit.room import Found
from tests.inprocess import directory_of

FORMULAS = (
    "=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", " =1", "=cmd|' /C calc'!A0", "＝1", "＋1", "－1", "＠x",
    '=HYPERLINK("http://x","y")', "-2+3+cmd|' /C calc'!A0", "x\n=1", "|cmd", "%0A=1",
    "'=1", '"=1', "\u3000=1", "\xa0=1",
)  # fmt: skip
DANGEROUS = ("=", "+", "-", "@", "\t", "\r", "＝", "＋", "－", "＠", "|", "%")


def record(**more):
    return {
        "at": "2026-11-22T08:00:00.000Z",
        "service": "documents",
        "action": "SignOffDocument",
        "result": "OK",
        **more,
    }


def _begins(cell):
    """With what a program begins to read: not with an apostrophe of ours, but behind blanks and quotes of others."""
    return "" if cell.startswith("'") else cell.lstrip(' \u3000\xa0"')


def test_no_cell_is_a_formula():
    names = ("name", "object", "address", "request_id", "session", "on_behalf_of", "person", "unit")
    found = [
        Found(number + 1, record(**dict.fromkeys(names, text), details={"why": text}))
        for number, text in enumerate(FORMULAS)
    ]
    rows = list(csv.reader(io.StringIO(b"".join(pieces(found, directory_of([], {}))).decode("utf-8-sig"))))
    assert tuple(rows[0]) == HEAD
    assert len(rows) == len(FORMULAS) + 1
    for row in rows[1:]:
        assert len(row) == len(HEAD)
        assert not [cell for cell in row if _begins(cell).startswith(DANGEROUS) or "\n" in cell]
    print(f"check 31: {len(FORMULAS)} formulas in {len(names) + 1} columns: none left")


def test_times_are_those_of_china_and_words_are_chinese():
    data = b"".join(
        pieces(
            [Found(1, record(name="张三", unit="fgw", level=2))],
            directory_of([("fgw", "区发展和改革局", "", "organisation")], {}),
        )
    )
    row = list(csv.reader(io.StringIO(data.decode("utf-8-sig"))))[1]
    assert row[:6] == ["1", "2026-11-22 16:00:00", "公文", "公文：签发", "成功", "张三"]
    assert (row[7], row[10]) == ("区发展和改革局", "机密")


def test_a_question_that_is_refused_is_refused_before_the_first_byte():
    """# check 93: what comes after the beginning of a file can only break it off."""

    def asked():
        raise InvalidInput("BAD_QUERY", "请输入要查找的文字")
        yield

    with pytest.raises(InvalidInput):
        next(pieces(asked(), directory_of([], {})))
    assert b"".join(pieces([], directory_of([], {}))).decode("utf-8-sig").count("\n") == 1
