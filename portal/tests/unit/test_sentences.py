"""What people and programs are told of a failure names no place inside: hosts, addresses and answers are for the log."""

from __future__ import annotations

import http.server
import socket
import threading
from functools import partial
from types import SimpleNamespace

import httpx
import pytest
from keycloak.exceptions import KeycloakConnectionError

from chassis.errors import TongbanError
from chassis.identity_types import Principal
from portal import catalogue, keycloak, probing
from portal.connectors import http as legacy
from portal.connectors import target
from portal.connectors.target import parse_target
from portal.model import App, Connector

INSIDE = "oa.inside.example"


def failure(call):
    with pytest.raises(TongbanError) as problem:
        call()
    return problem.value


def resolving(monkeypatch, address):
    def found(_host, port, *_, **__):
        if isinstance(address, Exception):
            raise address
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port))]

    monkeypatch.setattr(target.socket, "getaddrinfo", found)


@pytest.mark.parametrize(
    "address", [socket.gaierror(-2, f"{INSIDE} unknown"), "169.254.169.254", "127.0.0.1"]
)
def test_legacy_systems_that_cannot_be_reached(monkeypatch, address):
    monkeypatch.setenv("TONGBAN_LOOPBACK_APPS", "1")
    resolving(monkeypatch, address)
    # Port 1 of the loopback: nobody listens there.
    place = parse_target(f"http://{INSIDE}:1/")
    said = failure(lambda: legacy.send(legacy.client(), place, "GET", "/", []))
    for inside in (INSIDE, "169.254", "127.0.0.1", "Error", "Errno"):
        assert inside not in f"{said.zh}{said.en}"
    assert said.en.endswith(".")


@pytest.mark.parametrize(
    "reply", [KeycloakConnectionError("http://kc.inside/admin"), (409, "User exists: secret-name")]
)
def test_the_identity_provider(reply):
    def call(_url, **_):
        if isinstance(reply, Exception):
            raise reply
        return SimpleNamespace(status_code=reply[0], text=reply[1], content=b"x")

    admin = SimpleNamespace(connection=SimpleNamespace(realm_name="tongban", raw_put=call))
    said = failure(lambda: keycloak.realm_call(admin, "put", "users/u1"))
    for inside in ("inside", "users/u1", "409", "secret-name"):
        assert inside not in f"{said.zh}{said.en}"


@pytest.mark.parametrize(
    "reply",
    [httpx.ConnectError("http://gateway.inside"), httpx.Response(500), httpx.Response(200, text="<html>")],
)
def test_the_gateway(monkeypatch, reply):
    def post(url, **_):
        if isinstance(reply, Exception):
            raise reply
        reply.request = httpx.Request("POST", url)
        return reply

    monkeypatch.setenv("TONGBAN_HTTP_GATEWAY", "gateway.inside:80")
    monkeypatch.setattr(catalogue.httpx, "post", post)
    said = failure(lambda: catalogue._ticket("oa", "token"))
    assert said.reason == "GATEWAY_UNAVAILABLE"
    assert said.en == "The gateway gives no ticket right now."


@pytest.fixture
def site():
    class Page(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_):
            pass

    with http.server.HTTPServer(("127.0.0.1", 0), Page) as server:
        threading.Thread(target=partial(server.serve_forever, 0.01), daemon=True).start()
        yield f"127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.mark.parametrize(("roles", "told"), [((), False), (("system_administrator",), True)])
def test_where_a_system_stands_is_told_to_its_keeper_only(monkeypatch, site, roles, told):
    monkeypatch.setenv("TONGBAN_LOOPBACK_APPS", "1")
    app = App(
        icon="link",
        description="",
        category="",
        audience=["all"],
        id="oa",
        name="旧办公",
        connector=Connector("header", f"http://{site}/", "X-Remote-User", "username"),
    )
    good, report = probing.probe(
        legacy.client(), app, Principal("p1", "张三", "zhangsan", roles=frozenset(roles))
    )
    assert good
    details = " ".join(step.detail for step in report.steps)
    assert (site in details) is told
    assert ("X-Remote-User" in details) is told
