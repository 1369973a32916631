"""What passes between browser and legacy system. # check 17, 39"""

from __future__ import annotations

import pytest

from chassis.identity_types import Principal
from portal.connectors.headers import downward, identity_header, relocated, upward
from portal.connectors.target import parse_target
from portal.model import Connector

TARGET = parse_target("http://old.example:8080/start")
PERSON = Principal("p1", name="王五", username="wangwu", posts=("fgw:member",))
ALIASES = (
    "X-Remote-User", "x-remote-user", "X_Remote_User", "X.Remote.User", "X-REMOTE_USER", "XRemoteUser",
    "x remote-user", "X--Remote--User",
)  # fmt: skip


@pytest.mark.parametrize("alias", ALIASES)
def test_no_spelling_of_the_trusted_header_gets_through(alias):
    identity = identity_header(Connector("header", "http://old.example/", header="X-Remote-User"), PERSON)
    sent = upward([(alias, "evil"), ("Accept", "*/*")], TARGET, "", identity)
    assert [value for name, value in sent if "remote" in name.lower()] == ["wangwu"]


def test_an_allowed_header_that_is_the_trusted_one_is_replaced():
    identity = ("User-Agent", "wangwu")
    sent = upward([("user-agent", "evil"), ("User_Agent", "evil")], TARGET, "", identity)
    assert [value for name, value in sent if name.lower().startswith("user")] == ["wangwu"]


def test_tokens_cookies_and_internal_headers_stay_here():
    secret = [
        ("Authorization", "Bearer t"), ("Cookie", "__Host-tongban=1; JSESSIONID=x"),
        ("X-Tongban-App", "old"), ("X-Tongban-Csrf", "c"),
        ("X-Request-Id", "r"), ("X-Forwarded-For", "1.2.3.4"), ("X-Real-Ip", "1.2.3.4"),
        ("Forwarded", "for=1"), ("Traceparent", "00"),
        ("Proxy-Authorization", "x"), ("X-User", "admin"), ("Host", "oa.apps.localhost"),
        ("Connection", "x"), ("Te", "trailers"),
    ]  # fmt: skip
    assert upward(secret, TARGET, "", None) == [("Accept-Encoding", "gzip")]


def test_origin_and_referer_become_the_systems_own():
    given = [
        ("Origin", "https://old.apps.localhost:8443"),
        ("Referer", "https://old.apps.localhost:8443/a?b=1"),
    ]
    sent = dict(upward(given, TARGET, "a=1", None))
    assert sent["Origin"] == "http://old.example:8080"
    assert sent["Referer"] == "http://old.example:8080/a?b=1"
    assert sent["Cookie"] == "a=1"


def test_a_chinese_name_is_percent_encoded_and_breaks_no_line():
    header = Connector("header", "http://old.example/", header="X-Name", header_value="name")
    assert identity_header(header, PERSON) == ("X-Name", "%E7%8E%8B%E4%BA%94")
    _, value = identity_header(header, Principal("p", name="a\r\nX-Admin: 1"))
    assert "\n" not in value
    assert "\r" not in value


def test_nothing_comes_down_that_would_bind_the_browser_or_order_our_server_about():
    given = [
        ("Set-Cookie", "a=1"), ("Connection", "close, X-Hop"), ("X-Hop", "1"),
        ("Transfer-Encoding", "chunked"), ("X-Accel-Redirect", "/"),
        ("Strict-Transport-Security", "max-age=1"), ("Server", "IIS"), ("X-Tongban-Token", "x"),
        ("Clear-Site-Data", "*"), ("X-Sendfile", "/etc"),
        ("Content-Type", "text/html"), ("Location", "/x"),
    ]  # fmt: skip
    assert downward(given, TARGET, "/") == [("Content-Type", "text/html"), ("Location", "/x")]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("http://old.example:8080/a?b=1#c", "/a?b=1#c"),
        ("next.jsp", "/app/next.jsp"),
        ("/x", "/x"),
        ("", "/app/login.jsp"),
        ("http://old.example:8080//evil.example/", "/evil.example/"),
        ("http://old.example/other-port", "http://old.example/other-port"),
        ("https://other.example/", "https://other.example/"),
    ],
)
def test_redirects_as_the_browser_must_see_them(value, expected):
    assert relocated(value, TARGET, "/app/login.jsp") == expected
