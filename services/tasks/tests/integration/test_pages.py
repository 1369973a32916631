"""The pages, from the browser's side of the edge to the database."""

from __future__ import annotations

import re

import pytest
from tongban.tasks.v1 import tasks_pb2 as pb

from services.tasks.pages import app
from services.tasks.tests.integration.conftest import AS
from tests.browsing import Browser
from tests.inprocess import PlainVerifier, eventually

pytestmark = pytest.mark.integration


@pytest.fixture
def browser(tasks):
    return Browser(app(verifier=PlainVerifier(), directory=tasks.parts.directory), AS)


def test_a_task_from_the_form_to_done(tasks, browser):
    browser.get("/tasks/new", "zhuren")
    refused = browser.post("/tasks/new", "zhuren", {"title": "整理档案", "people": []}, 422)
    assert "请选择承办人" in refused.text
    assert "整理档案" in refused.text
    made = browser.post(
        "/tasks/new", "zhuren", {"title": "整理档案", "people": "keyuan", "due_at": "2036-01-05T09:00"}
    )
    at = made.headers["Location"]
    page = eventually(lambda: (text := browser.get("/tasks/", "keyuan")) and "整理档案" in text and text)
    assert f'href="{at}"' in page
    assert "整理档案" in browser.get("/tasks/fragment/todo?limit=50", "keyuan")
    count = tasks.call("GetTodoCount", pb.GetTodoCountRequest(), AS["keyuan"]).count.total
    assert browser.get("/tasks/fragment/count", "keyuan") == str(count)
    assert "keyuan同志" in browser.get(at, "keyuan")
    browser.post(f"{at}/report", "keyuan", {"assignment": 1, "text": "正在整理"})
    assert "正在整理" in browser.get(at, "zhuren")
    eventually(lambda: "整理档案" in browser.get("/tasks/sent", "zhuren"))
    key = re.search(r"obligation\?id=([^\"]+)", browser.get("/tasks/sent", "zhuren"))[1]
    browser.get(f"/tasks/obligation?id={key}", "zhuren")
    hurry = {"obligation": f"{at.replace('/tasks/task/', 'tasks|')}|1", "message": "请尽快"}
    assert (
        "tongban:toast"
        in browser.post("/tasks/urge", "zhuren", hurry, 200, **{"HX-Request": "true"}).headers["HX-Trigger"]
    )
    browser.post("/tasks/urge", "zhuren", hurry, 409)
    assert "请尽快" in eventually(
        lambda: (text := browser.get("/tasks/", "keyuan")) and "已催办" in text and text
    )
    browser.post(f"{at}/complete", "keyuan", {"assignment": 1, "result": "整理完毕"})
    assert "已办结" in browser.get(at, "zhuren")
    eventually(lambda: "整理档案" in browser.get("/tasks/done?q=档案", "keyuan"))


def test_a_returned_part_is_settled(tasks, browser):
    at = browser.post("/tasks/new", "zhuren", {"title": "起草讲话稿", "units": "fgw"}).headers["Location"]
    assert (
        "请填写退回原因"
        in browser.post(f"{at}/return", "fg-wenshu", {"assignment": 1, "reason": ""}, 422).text
    )
    browser.post(f"{at}/return", "fg-wenshu", {"assignment": 1, "reason": "不属本单位职责"})
    eventually(lambda: "处理退回" in browser.get("/tasks/", "zhuren"))
    assert "不属本单位职责" in browser.get(at, "zhuren")
    browser.post(f"{at}/settle", "zhuren", {"assignment": 1, "people": "kezhang"})
    eventually(lambda: "起草讲话稿" in browser.get("/tasks/", "kezhang"))
    browser.post(f"{at}/cancel", "zhuren", {"reason": "不再需要"})
    assert "不再需要" in browser.get(at, "kezhang")


def test_figures_for_those_who_lead(tasks, browser):
    assert "在办" in browser.get("/tasks/statistics", "quzhang")
    assert "云溪区发展和改革局" in browser.get("/tasks/unit?unit=fgw&state=overdue", "quzhang")
    assert "单位统计" not in browser.get("/tasks/", "keyuan")


def test_no_id_of_a_person_or_unit_is_shown(tasks, browser):
    text = re.sub(r"<[^>]+>", " ", browser.get("/tasks/sent?unit=zfb&state=all", "wenshu"))
    assert "zhuren " not in text
    assert "u:fgw" not in text
