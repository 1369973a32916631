"""Times, sizes, marks and names in the words of the office."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from google.protobuf.timestamp_pb2 import Timestamp

from chassis.web import filters, names

NOW = datetime(2026, 11, 22, 4, 0, tzinfo=UTC)  # 12:00 in Shanghai


@pytest.fixture(autouse=True)
def _clock(monkeypatch):
    monkeypatch.setattr("chassis.clock.now", lambda: NOW)


@pytest.mark.parametrize(
    ("moment", "text"),
    [
        (datetime(2026, 11, 22, 1, 12, tzinfo=UTC), "今天 09:12"),
        (datetime(2026, 11, 21, 16, 30, tzinfo=UTC), "今天 00:30"),
        (datetime(2026, 11, 21, 15, 59, tzinfo=UTC), "昨天 23:59"),
        (datetime(2026, 11, 23, 1, 0, tzinfo=UTC), "明天 09:00"),
        (datetime(2026, 11, 20, 1, 0, tzinfo=UTC), "11月20日"),
        (datetime(2025, 12, 31, 17, 0, tzinfo=UTC), "1月1日"),
        (datetime(2025, 11, 20, 1, 0, tzinfo=UTC), "2025年11月20日"),
        (None, ""),
        (Timestamp(), ""),
        (Timestamp(seconds=int(NOW.timestamp())), "今天 12:00"),
    ],
)
def test_when(moment, text):
    assert filters.when(moment) == text


def test_dates_are_written_without_leading_zeros():
    assert filters.date_cn(date(2026, 1, 5)) == "2026年1月5日"
    assert filters.datetime_cn(NOW) == "2026年11月22日 12:00"


@pytest.mark.parametrize(
    ("hours", "text", "tone"),
    [
        (-49, "已超期2天", "bad"),
        (-1, "已超期", "bad"),
        (3, "今天到期", "warn"),
        (20, "明天到期", "warn"),
        (72, "还有3天", "neutral"),
        (24 * 30, "12月22日前", "neutral"),
    ],
)
def test_due(hours, text, tone):
    moment = NOW + timedelta(hours=hours)
    assert (filters.due(moment), filters.due_tone(moment)) == (text, tone)


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (0, "0 B"),
        (912, "912 B"),
        (35_800, "35 KB"),
        (1_260_000, "1.2 MB"),
        (88_101_331, "84 MB"),
        (3 * 2**30, "3.0 GB"),
    ],
)
def test_size(count, text):
    assert filters.size(count) == text


def test_what_is_not_classified_or_urgent_is_not_marked():
    assert [filters.level(number) for number in (None, 0, 1, 2, 3, 9)] == ["", "", "秘密", "机密", "绝密", ""]
    assert [filters.urgency(text) for text in ("", None, "无", "特急")] == ["", "", "", "特急"]


@pytest.mark.parametrize(
    "address",
    [
        "javascript:alert(1)",
        " JaVaScript:alert(1)",
        "data:text/html,x",
        "//evil.example",
        "vbscript:x",
        "",
        None,
    ],
)
def test_a_dangerous_address_becomes_harmless(address):
    assert filters.href(address) == "#"


@pytest.mark.parametrize(
    "address", ["/documents/", "?cursor=1", "#x", "https://example.gov.cn/", "mailto:a@b.cn"]
)
def test_an_honest_address_stays(address):
    assert filters.href(address) == address


def test_names_never_show_an_id(app):
    with app.test_request_context("/"):
        assert names.person("zhang") == "张明远"
        assert names.person(["zhang", "4711", "li"]) == "张明远、（已注销人员）、李晓燕"
        assert names.unit("zfb") == "云溪区人民政府办公室"
        assert names.unit_short("zfb") == "区府办"
        assert names.unit("gone") == "（已撤销单位）"
        assert names.person("") == names.person(None) == ""
        assert (
            names.audience(["all", "p:li", "u:zfb:registrar", "u:fgw", "u:fgw:member"])
            == "全体人员、李晓燕、区府办·文书、区发改局、区发改局"
        )
