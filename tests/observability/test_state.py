"""The page of the platform's own state on the running platform: who may see it, and that it tells the truth when parts are dead."""

from __future__ import annotations

import os
import re
import time

import httpx
import pytest

from tests.inprocess import eventually

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(240)]
PATH = "/api/v1/portal/system-state"


@pytest.fixture(scope="module")
def own(request):
    """The test stack, whose processes may be killed."""
    if os.environ.get("TONGBAN_E2E_VAR"):
        pytest.skip("kills processes, so it wants the test stack")
    return request.getfixturevalue("stack")


@pytest.fixture
def state(stranger, people):
    """state() → the answer of the API, through the edge."""

    def ask():
        answer = stranger.get(PATH, headers={"Authorization": f"Bearer {people.token('sysadmin')}"})
        assert answer.status_code == 200, answer.text
        return answer.json()

    return ask


def row(told, kind, **wanted):
    (found,) = [one for one in told[kind] if wanted.items() <= one.items()]
    return found


def test_only_the_system_administrator_sees_it(running, stranger, people, administrator):
    for username in ("secadmin", "auditor", "qfb.wenshu", "qfb.zhuren"):
        answer = stranger.get(PATH, headers={"Authorization": f"Bearer {people.token(username)}"})
        assert answer.status_code == 403, username
    assert stranger.get(PATH).status_code == 401
    assert stranger.get("/administration/system").status_code in (302, 401)
    assert administrator.get("/administration/system").status_code == 200


def test_everything_is_there_and_well(running, state):
    told = state()
    assert {one["engine"] for one in told["engines"]} == {"mongo", "nats", "keycloak", "edge"}
    assert {one["finding"]["tone"] for one in told["engines"]} == {"good"}
    assert row(told, "engines", engine="nats")["version"]
    listed = {(one["labels"]["unit"], one["labels"]["process"]) for one in running.targets()} - {
        ("keycloak", "engine")
    }
    assert {(one["unit"], one["process"]) for one in told["processes"]} == listed
    assert all(int(one["memory"]) > 1 << 20 for one in told["processes"])
    assert len(told["consumers"]) >= 5
    assert {one["unit"] for one in told["indexes"]} == {unit for unit, _ in listed} - {
        "gateway",
        "portal",
        "audit",
    }
    assert told["certificate"]["finding"]["tone"] == "good"
    assert int(told["disk"]["free"]) > 0


def test_the_page_speaks_chinese_and_shows_no_ids(administrator):
    page = administrator.get("/administration/system").text
    main = page.partition("<main")[2].partition("</main>")[0]
    words = re.sub(r"<code>.*?</code>", " ", main, flags=re.DOTALL)
    words = re.sub(r"<[^>]*>", " ", words)
    assert not re.search(r"documents|tasks|obligations|gateway|serve|-work|good|bad|unknown|None", words)
    for wanted in ("数据库", "统一登录", "公文 · 后台处理", "最近一次备份", "检索库", "向收文单位送达"):
        assert wanted in words
    part = administrator.get("/administration/system", headers={"HX-Request": "true"}).text
    assert "<html" not in part
    assert "截至" in part
    help_page = administrator.get("/administration/system/help").text
    for link in re.findall(r'/administration/system/help#(\w+)"', page):
        assert f'id="{link}"' in help_page


def test_a_killed_process_is_reported_with_its_restart(own, state):
    before = row(state(), "processes", unit="meetings", process="work")["restarts"]
    own.kill("meetings-work")
    try:
        # The supervisor writes its report once in a while.
        told = eventually(
            lambda: (
                "已被停止"
                in row(now := state(), "processes", unit="meetings", process="work")["finding"]["sentence"]
                and now
            ),
            20,
        )
        assert row(told, "processes", unit="meetings", process="work")["finding"]["tone"] == "bad"
        assert row(told, "outboxes", unit="meetings")["finding"]["tone"] == "unknown"
        assert told["overall"]["tone"] == "bad"
    finally:
        own.restart("meetings-work")
    own.kill("meetings-work", hold=False)
    own.wait_ready("meetings-work")
    after = eventually(
        lambda: (
            (found := row(state(), "processes", unit="meetings", process="work"))["restarts"] > before
            and found
        ),
        20,
    )
    assert after["finding"]["tone"] in ("good", "warn")
    assert after["reason"].startswith("status -9")


def test_without_the_broker_the_page_says_what_is_unknown(own, state, administrator):
    own.kill("nats")
    try:
        began = time.monotonic()
        told = state()
        took = time.monotonic() - began
        assert row(told, "engines", engine="nats")["finding"]["tone"] == "bad"
        assert told["broker"]["tone"] == told["dead_letters"]["finding"]["tone"] == "unknown"
        assert told["consumers"] == []
        assert row(told, "engines", engine="mongo")["finding"]["tone"] == "good"
        assert row(told, "processes", unit="documents", process="serve")["finding"]["tone"] == "good"
        page = administrator.get("/administration/system")
        assert page.status_code == 200
        assert "消息服务没有响应" in page.text
    finally:
        own.restart("nats")
    eventually(lambda: row(state(), "engines", engine="nats")["finding"]["tone"] == "good", 30)
    print(f"without the broker: told in {took:.1f} s")


def test_without_the_database_the_page_says_what_is_unknown(own, running, state, people):
    token = people.token("sysadmin")
    own.kill("mongo")
    try:
        began = time.monotonic()
        told = state()
        took = time.monotonic() - began
        assert row(told, "engines", engine="mongo")["finding"]["tone"] == "bad"
        assert row(told, "engines", engine="nats")["finding"]["tone"] == "good"
        # A process asks for its database once a second at most.
        eventually(
            lambda: row(state(), "processes", unit="documents", process="serve")["finding"]["tone"] == "warn",
            20,
        )
        assert len(told["consumers"]) >= 5
        # The sessions of browsers lie in the database: the page itself is asked as the edge would, with a token.
        page = httpx.get(
            f"http://{running.env['TONGBAN_HTTP_PORTAL']}/administration/system",
            headers={"Authorization": f"Bearer {token}"}, timeout=20, trust_env=False,
        )  # fmt: skip
        assert page.status_code == 200
        assert "数据库" in page.text
    finally:
        own.restart("mongo")
    eventually(
        lambda: row(state(), "processes", unit="documents", process="serve")["finding"]["tone"] == "good", 30
    )
    print(f"without the database: told in {took:.1f} s")
