"""One click into the real sample systems: sign-in on the server, the proxy, the end of a login."""

from __future__ import annotations

import socket
import time
import uuid
from concurrent.futures import ThreadPoolExecutor, as_completed
from itertools import islice
from types import SimpleNamespace

import pytest
from werkzeug.test import EnvironBuilder, run_wsgi_app

from chassis.aggregate import Request
from chassis.errors import InvalidInput, NotSignedIn, WrongState
from chassis.identity_types import Principal
from portal import catalogue, ending
from portal.connectors.proxy import AT_ONCE, AT_ONCE_PER_APP, Proxy
from portal.model import App, Connector, FormLogin
from portal.vault import Secret

pytestmark = pytest.mark.integration
RIGHT = "oldsite123"
DOMAIN = "apps.localhost:18543"


def request() -> Request:
    return Request(key=uuid.uuid4().hex)


def app(key: str, name: str, audience: list[str], connector: Connector) -> App:
    return App(
        id=key, name=name, icon="", description="", category="", audience=audience, connector=connector
    )


@pytest.fixture(scope="module")
def apps(parts, sites):
    form = FormLogin(login_path="/login.jsp", logout_path="/logout.do")
    made = [
        app("old", "老系统", ["all"], Connector("form", f"{sites.old}/index.jsp", form=form)),
        app("report", "报表", ["u:fgw"], Connector("header", f"{sites.header}/", header="X-Remote-User")),
    ]
    for one in made:
        catalogue.save_app(parts.apps, one, request())
    return {one.id: one for one in made}


@pytest.fixture
def person(parts, apps):
    return Principal(
        uuid.uuid4().hex, name="王五", username="wangwu", posts=("fgw:member",), session=uuid.uuid4().hex
    )


@pytest.fixture
def browser(parts, person):
    """Requests as the edge passes them on, for one person."""

    def verify(token: str) -> Principal:
        if token != "good":
            raise NotSignedIn("NOT_SIGNED_IN", "请先登录。")
        return person

    proxy = Proxy(parts.opening, parts.apps.find, verify, DOMAIN, "https://localhost:18543")

    def go(app: str, path: str, method: str = "GET", data: bytes | None = None, **headers: str):
        environ = EnvironBuilder(path=f"/_apps/{app}/", method=method, data=data).get_environ()
        environ |= {
            "RAW_URI": f"/_apps/{app}{path}", "HTTP_HOST": f"{app}.{DOMAIN}", "HTTP_X_TONGBAN_APP": app,
            "HTTP_AUTHORIZATION": "Bearer good", **headers,
        }  # fmt: skip
        body, status, given = run_wsgi_app(proxy, environ, buffered=True)
        return SimpleNamespace(status=int(status[:3]), headers=given, body=b"".join(body))

    return go


def keep(parts, person, password: str = RIGHT, username: str = "oa001") -> None:
    parts.credentials.save(person.person, "old", Secret(username, password), request())


def test_signs_in_with_token_and_hidden_fields_and_serves_pages(parts, apps, person, browser):
    keep(parts, person)
    page = browser("old", "/index.jsp")
    assert page.status == 200
    assert "经办员001" in page.body.decode("gbk")
    found = browser("old", "/search.jsp?kw=%B5%B5%B0%B8").body.decode("gbk")
    assert "档案管理" in found
    assert "防汛" not in found
    moved = browser("old", "/")
    assert (moved.status, moved.headers["location"]) == (302, "/index.jsp")


def test_the_browser_never_sees_cookie_or_password(parts, apps, person, browser):  # check 39
    keep(parts, person)
    for path in ("/", "/index.jsp", "/login.jsp", "/report.jsp", "/nowhere.jsp"):
        answer = browser("old", path, HTTP_COOKIE="__Host-tongban=secret; JSESSIONID=mine")
        whole = str(answer.headers) + answer.body.decode("gbk", "replace")
        assert "set-cookie" not in answer.headers
        assert "oldsite123" not in whole
        assert parts.jars.load(person.session, "old").value("JSESSIONID") not in whole


def test_one_wrong_password_is_tried_once_and_never_again(parts, apps, person, browser, sites):
    keep(parts, person, "wrong", "oa007")
    for _ in range(5):
        assert browser("old", "/index.jsp").status == 409
    good, report = parts.opening.test(apps["old"], person)
    assert not good
    assert report.steps[-1].outcome == "skipped"
    assert sites.accounts.wrong("oa007") == 1
    assert parts.credentials.find(person.person, "old").state == "quarantined"
    keep(parts, person, "oldsite123", "oa007")
    assert browser("old", "/index.jsp").status == 200
    assert parts.credentials.find(person.person, "old").state == "good"


def test_many_at_once_sign_in_once(parts, apps, person, browser, sites):
    from concurrent.futures import ThreadPoolExecutor

    keep(parts, person, "wrong", "oa008")
    with ThreadPoolExecutor(12) as threads:
        answers = list(threads.map(lambda _: browser("old", "/index.jsp").status, range(12)))
    assert answers == [409] * 12
    assert sites.accounts.wrong("oa008") == 1


def test_a_session_lost_over_there_is_opened_again_once(parts, apps, person, browser):
    keep(parts, person)
    assert browser("old", "/index.jsp").status == 200
    before = parts.jars.load(person.session, "old").value("JSESSIONID")
    assert browser("old", "/logout.do").status == 302
    assert browser("old", "/report.jsp").status == 200
    assert parts.jars.load(person.session, "old").value("JSESSIONID") != before


def test_the_report_names_each_step_and_no_secret(parts, apps, person):
    keep(parts, person)
    good, report = parts.opening.test(apps["old"], person)
    assert good
    assert [step.name for step in report.steps] == [
        "打开登录页",
        "填写登录表单",
        "提交用户名和密码",
        "判断登录结果",
    ]
    assert "oldsite123" not in str(report)


def test_a_system_that_is_down_says_nothing_about_the_credential(parts, apps, person):
    down = app("down", "停", ["all"], Connector("form", "http://127.0.0.1:9/"))
    parts.credentials.save(person.person, "down", Secret("a", "b"), request())
    good, report = parts.opening.test(down, person)
    assert not good
    assert report.steps[-1].outcome == "failed"
    assert parts.credentials.find(person.person, "down").state == "untried"


def test_the_trusted_header_is_ours_alone(parts, apps, browser):  # check 17
    forged = {"HTTP_X_REMOTE_USER": "admin", "HTTP_X__REMOTE_USER": "admin", "HTTP_X_REMOTE.USER": "admin"}
    page = browser("report", "/", **forged).body.decode()
    assert "<b id=who>wangwu</b>" in page
    seen = browser(
        "report", "/headers", HTTP_X_FORWARDED_FOR="1.2.3.4", HTTP_COOKIE="__Host-tongban=x", **forged
    ).body.decode()
    names = {line.partition(":")[0].lower() for line in seen.splitlines()}
    assert names <= {"host", "accept-encoding", "x-remote-user", "content-length", "content-type"}


def test_a_silent_system_takes_a_few_threads_and_not_all(parts, apps, browser):  # check 59
    silent = socket.create_server(("127.0.0.1", 0))
    address = f"http://127.0.0.1:{silent.getsockname()[1]}/"
    made = app("silent", "慢系统", ["u:fgw"], Connector("header", address, header="X-Remote-User"))
    catalogue.save_app(parts.apps, made, request())
    with ThreadPoolExecutor(AT_ONCE + 4) as pool:
        waiting = [pool.submit(browser, "silent", "/") for _ in range(AT_ONCE_PER_APP + 2)]
        # Two find no place, and are told after a while; the others hold theirs.
        refused = [one.result() for one in islice(as_completed(waiting, timeout=15), 2)]
        assert {one.status for one in refused} == {502}
        assert all("系统繁忙" in one.body.decode() for one in refused)
        assert browser("report", "/").status == 200
        silent.close()
        assert {one.result(30).status for one in waiting} == {502}
    again = [browser("report", "/").status for _ in range(3)]
    assert again == [200] * 3
    print(
        f"check 59: {AT_ONCE_PER_APP} requests wait for a silent system, further ones are refused, another system is served"
    )


@pytest.mark.parametrize(
    "headers",
    [
        {"HTTP_HOST": "localhost:18543"}, {"HTTP_HOST": "report.evil.example"},
        {"HTTP_HOST": f"old.{DOMAIN}"}, {"HTTP_X_TONGBAN_APP": "old"},
        {"HTTP_X_TONGBAN_APP": ""}, {"HTTP_AUTHORIZATION": "Bearer bad"}, {"HTTP_AUTHORIZATION": ""},
        {"RAW_URI": "/_apps/../documents/"},
        {"RAW_URI": "/_apps/report"}, {"RAW_URI": "http://evil.example/_apps/report/"},
    ],
)  # fmt: skip
def test_nothing_is_served_on_another_host_or_without_the_edges_word(parts, apps, browser, headers):
    expected = (401,) if "HTTP_AUTHORIZATION" in headers else (404,)
    if headers == {"RAW_URI": "/_apps/report"}:
        expected = (200,)
    assert browser("report", "/", **headers).status in expected


def test_foreign_pages_may_not_send(parts, apps, browser):
    for headers in (
        {"HTTP_ORIGIN": "https://evil.example"},
        {"HTTP_SEC_FETCH_SITE": "cross-site"},
        {"HTTP_ORIGIN": "null"},
    ):
        assert browser("report", "/", "POST", b"x", **headers).status == 403
    assert browser("report", "/", "POST", b"x", HTTP_ORIGIN=f"https://report.{DOMAIN}").status == 405
    assert browser("report", "/", "POST", b"x", CONTENT_LENGTH=str(1 << 40)).status == 413


def test_who_may_not_open_it_is_told_why(parts, apps, person, browser):
    object.__setattr__(person, "posts", ("czj:member",))
    person.__dict__.pop("units", None)
    person.__dict__.pop("tokens", None)
    answer = browser("report", "/")
    assert answer.status == 403
    assert "未获授权" in answer.body.decode()


def test_the_end_of_a_login_ends_it_over_there_with_receipts(parts, apps, person, browser):  # check 8
    keep(parts, person)
    browser("old", "/index.jsp")
    jar = parts.jars.load(person.session, "old")
    began = time.monotonic()
    receipts = ending.end_session(parts, person.session)
    assert time.monotonic() - began < 10
    assert [(one.name, one.good) for one in receipts] == [("老系统", True)]
    assert ending.receipts_of(parts, parts.receipt_id(person.session)) == receipts
    assert ending.receipts_of(parts, "0" * 40) is None
    assert parts.jars.load(person.session, "old") is None
    # The old session is dead at the system itself, not only forgotten here.
    from portal.connectors.signing_in import Visit

    visit = Visit(parts.client, apps["old"].connector.target)
    visit.jar = jar
    assert visit.go(f"{apps['old'].connector.target.origin}/report.jsp").path == "/login.jsp"
    assert ending.end_session(parts, person.session) == []
    assert ending.receipts_of(parts, parts.receipt_id(person.session)) == receipts


def test_the_database_holds_no_plain_secret(parts, apps, person, browser):  # check 87
    keep(parts, person)
    browser("old", "/index.jsp")
    cookie = parts.jars.load(person.session, "old").value("JSESSIONID")
    for name in ("credentials", "jars", "receipts", "attempts"):
        for record in parts.chassis.store.collection(name).scan():
            assert "oldsite123" not in str(record)
            assert cookie not in str(record)


def test_forgotten_is_gone(parts, apps, person, browser):
    keep(parts, person)
    parts.credentials.forget(person.person, "old", request())
    with pytest.raises(WrongState, match="NO_CREDENTIAL"):
        parts.credentials.usable(person.person, "old")
    assert parts.credentials.find(person.person, "old").sealed == b""


def test_saving_an_app_is_idempotent_and_guarded(parts, apps):
    again = App(
        id="old",
        name="夺",
        icon="",
        description="",
        category="",
        audience=["all"],
        connector=Connector("bookmark", "http://x.example/"),
    )
    with pytest.raises(Exception, match="APP_EXISTS"):
        catalogue.save_app(parts.apps, again, request())
    with pytest.raises(InvalidInput):
        catalogue.save_app(
            parts.apps,
            App(
                id="x", name="", icon="", description="", category="", audience=[], connector=again.connector
            ),
            request(),
        )
    assert parts.apps.get("old").name == "老系统"
