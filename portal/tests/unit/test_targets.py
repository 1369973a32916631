"""Places that must never be contacted, however they are spelt. # check 38"""

from __future__ import annotations

import socket

import pytest

from chassis.errors import Forbidden, InvalidInput
from portal.connectors import target
from portal.connectors.target import acceptable, judged_addresses, own_ports, parse_target

BAD_SPELLINGS = [
    "http://2130706433/", "http://0177.0.0.1/", "http://0x7f.0.0.1/", "http://0x7f000001/", "http://127.1/",
    "http://127.0.1/", "http://0/",
    "http://017700000001/", "http://1.2.3/", "http://1.2.3.4.5/", "http://256.1.1.1/",
    "http://user@old.example/", "http://user:pw@old.example/",
    "http://old.example@evil.example/", "http://old.example:0/", "http://old.example:99999/",
    "http://old.example:x/", "http:///x", "http://",
    "//old.example/", "/path", "", "old.example", "ftp://old.example/", "file:///etc/passwd",
    "gopher://old.example/", "javascript:alert(1)",
    "dict://old.example:11211/", "http://old.example\\@evil.example/", "http://old.example\r\nX: 1/",
    "http://old example/", "http://old.example/\x00",
    "http://%31%32%37.0.0.1/", "http://①②⑦.0.0.1/", "http://old。example/", "http://[::1",
    "http://[fe80::1%25eth0]/", "http://-old.example/",
    "http://old..example/", "http://.example/", f"http://{'a' * 64}.example/", "http://old.example/<script>",
    "http://old_example/",
]  # fmt: skip
BAD_ADDRESSES = [
    "0.0.0.0", "0.1.2.3", "169.254.169.254", "169.254.0.1", "224.0.0.1", "239.255.255.255",
    "255.255.255.255", "240.0.0.1", "::",
    "fe80::1", "fe80::1%eth0", "ff02::1", "::ffff:169.254.169.254", "::ffff:0.0.0.0", "2002:a9fe:a9fe::1",
]  # fmt: skip
LOOPBACK = ["127.0.0.1", "127.255.255.254", "127.0.0.53", "::1", "::ffff:127.0.0.1", "2002:7f00:1::1"]


@pytest.mark.parametrize("url", BAD_SPELLINGS)
def test_spellings_that_are_no_plain_origin(url):
    with pytest.raises(InvalidInput):
        parse_target(url)


@pytest.mark.parametrize("address", BAD_ADDRESSES)
def test_addresses_that_no_system_has(address, monkeypatch):
    monkeypatch.setenv("TONGBAN_LOOPBACK_APPS", "1")
    assert not acceptable(address, 80)


@pytest.mark.parametrize("address", LOOPBACK)
def test_the_loopback_only_where_it_is_switched_on_and_never_our_own_ports(address, monkeypatch):
    monkeypatch.delenv("TONGBAN_LOOPBACK_APPS", raising=False)
    monkeypatch.setenv("TONGBAN_DEMO", "0")
    assert not acceptable(address, 9100)
    monkeypatch.setenv("TONGBAN_LOOPBACK_APPS", "1")
    monkeypatch.setenv("TONGBAN_MONGO_URI", "mongodb://127.0.0.1:9001/?directConnection=true")
    monkeypatch.setenv("TONGBAN_NATS_URL", "nats://u:p@127.0.0.1:9002")
    monkeypatch.setenv("TONGBAN_KEYCLOAK_URL", "http://127.0.0.1:9003/id")
    monkeypatch.setenv("TONGBAN_GRPC_TASKS", "127.0.0.1:9004")
    monkeypatch.setenv("TONGBAN_HTTP_GATEWAY", "127.0.0.1:9005")
    monkeypatch.setenv("TONGBAN_HTTP_OLDSITE", "127.0.0.1:9100")
    assert {9001, 9002, 9003, 9004, 9005} <= own_ports()
    assert not any(acceptable(address, port) for port in (9001, 9002, 9003, 9004, 9005))
    assert acceptable(address, 9100)


def test_private_networks_are_where_offices_systems_stand():
    assert all(
        acceptable(address, 80)
        for address in ("10.1.2.3", "172.16.0.9", "192.168.1.1", "59.203.1.1", "fd00::1")
    )


def test_a_name_counts_by_all_its_addresses(monkeypatch):
    def both(*_args, **_more):
        return [(0, 0, 0, "", ("10.0.0.1", 80)), (0, 0, 0, "", ("169.254.169.254", 80))]

    monkeypatch.setattr(target.socket, "getaddrinfo", both)
    with pytest.raises(Forbidden):
        judged_addresses("rebinding.example", 80)


def test_the_connection_goes_to_the_judged_address_not_to_the_name(monkeypatch):
    import httpcore

    from portal.connectors import http

    asked, contacted = [], []

    def changing(host, port, **_more):
        asked.append(host)
        return [(0, 0, 0, "", ("10.0.0.1" if len(asked) == 1 else "169.254.169.254", port))]

    def connect(_self, host, port, *_args, **_more):
        contacted.append(host)
        raise httpcore.ConnectError("refused")

    monkeypatch.setattr(socket, "getaddrinfo", changing)
    monkeypatch.setattr(httpcore.SyncBackend, "connect_tcp", connect)
    backend = http._JudgedBackend()
    with pytest.raises(httpcore.ConnectError):
        backend.connect_tcp("rebinding.example", 80)
    with pytest.raises(Forbidden):
        backend.connect_tcp("rebinding.example", 80)
    assert contacted == ["10.0.0.1"]


def test_origins_are_equal_in_scheme_host_and_port_only():
    old = parse_target("http://old.example:80/a")
    assert old.same_origin("http://OLD.example/b?c")
    others = (
        "https://old.example/",
        "http://old.example:81/",
        "http://x.old.example/",
        "http://old.example@evil.example/",
        "/b",
        "",
    )
    assert not any(old.same_origin(url) for url in others)
