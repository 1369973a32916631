"""The jar keeps cookies as a browser would."""

from __future__ import annotations

import pytest

from portal.connectors.jar import Jar


def jar(*set_cookies: str, host: str = "old.example", path: str = "/app/login.jsp") -> Jar:
    made = Jar()
    made.take(set_cookies, host, path)
    return made


def test_paths_decide_and_the_longer_comes_first():
    held = jar("a=1; Path=/", "b=2; Path=/app", "c=3")
    assert held.header("/app/x", secure=False) == "b=2; c=3; a=1"
    assert held.header("/application", secure=False) == "a=1"


@pytest.mark.parametrize(
    "gone", ["a=; Max-Age=0", "a=x; Expires=Thu, 01 Jan 1970 00:00:00 GMT", "a=x; max-age=-5"]
)
def test_taken_away_by_an_expiry_in_the_past(gone):
    held = jar("a=1; Path=/")
    assert held.take([f"{gone}; Path=/"], "old.example", "/")
    assert held.header("/", secure=False) == ""


def test_replaced_by_the_same_name_and_path():
    held = jar("a=1; Path=/", "a=2; Path=/", "a=3; Path=/app")
    assert held.header("/app/", secure=False) == "a=3; a=2"
    assert not held.take(["a=2; Path=/"], "old.example", "/")


def test_secure_ones_only_over_tls_and_foreign_domains_never():
    held = jar(
        "s=1; Secure; Path=/",
        "d=1; Domain=evil.example",
        "e=1; Domain=.example; Path=/",
        "f=1; Domain=ld.example",
    )
    assert held.header("/", secure=True) == "s=1; e=1"
    assert held.header("/", secure=False) == "e=1"


def test_nonsense_and_floods_are_bounded():
    assert jar("", "=x", "nameonly", "a=\x00b", "b=" + "x" * 5000, "a\r\nb=1").cookies == []
    assert len(jar(*(f"c{number}=1" for number in range(1000))).cookies) == 80
