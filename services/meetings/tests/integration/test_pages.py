"""The pages, from the browser's side of the edge to the database."""

from __future__ import annotations

import re

import pytest

from services.meetings.pages import app
from services.meetings.tests.integration.conftest import AS, DAY
from tests.browsing import Browser
from tests.inprocess import PlainVerifier, eventually

pytestmark = pytest.mark.integration
DATE = DAY.date().isoformat()


@pytest.fixture
def browser(meetings):
    return Browser(app(verifier=PlainVerifier(), directory=meetings.parts.directory), AS)


def form(room, **how):
    given = {
        "title": "防汛工作会",
        "date": DATE,
        "start": "09:00",
        "end": "10:30",
        "room": room,
        "units": ["fgw", "czj"],
        "people": "quzhang",
    }
    return {**given, **how}


def test_calling_answering_and_cancelling(browser, room):
    browser.get("/meetings/new", "mishu")
    at = browser.post("/meetings/new", "mishu", form(room, agenda="一、通报情况")).headers["Location"]
    page = browser.get(at, "mishu")
    assert "第一会议室（三楼）" in page
    assert "09:00–10:30" in page
    assert "一、通报情况" in page
    eventually(lambda: "防汛工作会" in browser.get("/meetings/", "cz-wenshu"))
    assert 'hx-post="' + at + '/read"' in browser.get(at, "fg-wenshu")
    browser.post(f"{at}/read", "fg-wenshu", {}, 204)
    assert "/read" not in browser.get(at, "fg-wenshu")
    assert (
        "请填写参会人员"
        in browser.post(f"{at}/attend", "fg-wenshu", {"invitation": 1, "_has": "attendees"}, 422).text
    )
    browser.post(f"{at}/attend", "fg-wenshu", {"invitation": 1, "attendees": "keyuan", "names": "李工"})
    browser.post(f"{at}/decline", "quzhang", {"invitation": 3, "reason": "外出调研"})
    page = browser.get(at, "mishu")
    for told in ("keyuan同志；李工", "外出调研", "未回执"):
        assert told in page
    browser.post(f"{at}/urge", "mishu", {"message": "请今天回执"})
    browser.post(f"{at}/cancel", "mishu", {"reason": "改期"})
    assert "会议已取消" in browser.get(at, "cz-wenshu")


def test_a_clash_is_told_at_the_field_and_the_form_keeps_what_was_typed(browser, room):
    browser.post("/meetings/new", "wenshu", form(room))
    refused = browser.post(
        "/meetings/new", "mishu", form(room, title="另一个会", start="10:00", end="11:00"), 422
    )
    assert "会议室在09:00–10:30已由云溪区人民政府办公室（wenshu同志）预订" in refused.text
    assert "另一个会" in refused.text
    shown = browser.get(f"/meetings/fragment/rooms?date={DATE}&start=10:00&end=11:00", "mishu")
    assert "09:00–10:30 已由云溪区人民政府办公室（wenshu同志）预订" in shown
    assert "同一天" not in shown
    assert "结束时间应晚于开始时间" in browser.get(
        f"/meetings/fragment/rooms?date={DATE}&start=10:00&end=09:00", "mishu"
    )


def test_moving_a_meeting(browser, room):
    at = browser.post("/meetings/new", "mishu", form(room)).headers["Location"]
    page = browser.get(f"{at}/change", "mishu")
    assert 'value="防汛工作会"' in page
    etag = re.search(r'name="etag" value="(\d+)"', page)[1]
    browser.post(f"{at}/change", "mishu", form(room, start="15:00", end="16:00", etag=etag))
    assert "时间改为" in browser.get(at, "fg-wenshu")
    browser.post(f"{at}/change", "mishu", form("-", place="政务中心二楼", etag=""))
    assert "政务中心二楼" in browser.get(at, "fg-wenshu")
    browser.post(f"{at}/change", "mishu", form(room, etag=etag), 409)


def test_the_calendar_of_a_day_and_of_a_week(browser, room):
    browser.post("/meetings/new", "mishu", form(room))
    day = browser.get(f"/meetings/rooms?date={DATE}", "mishu")
    assert "防汛工作会" in day
    other = browser.get(f"/meetings/rooms?room={room}&date={DATE}", "keyuan")
    assert "防汛工作会" not in other
    assert "云溪区人民政府办公室" in other
    assert other.count('<th class="rooms-name" scope="row">') == 7


def test_rooms_are_kept_by_registrars(browser):
    data = {
        "room": "zfb-808",
        "name": "八楼会议室",
        "capacity": "60",
        "unit": "zfb",
        "shared": "on",
        "etag": "",
    }
    browser.get("/meetings/rooms/edit", "wenshu")
    browser.post("/meetings/rooms/edit", "wenshu", data)
    page = browser.get("/meetings/rooms/edit?room=zfb-808", "wenshu")
    etag = re.search(r'name="etag" value="(\d+)"', page)[1]
    browser.post("/meetings/rooms/edit", "wenshu", {**data, "name": "八楼大会议室", "etag": etag})
    browser.post("/meetings/rooms/edit", "wenshu", {**data, "etag": etag}, 409)
    assert (
        "请填写会议室名称" in browser.post("/meetings/rooms/edit", "wenshu", {**data, "name": ""}, 422).text
    )
    browser.post("/meetings/rooms/edit", "mishu", data, 403)
    browser.get("/meetings/past", "wenshu")
