"""grpc.health.v1 that tells the truth."""

from __future__ import annotations

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from chassis import health as module
from chassis.health import Health
from chassis.tests.helpers import serving, settings

SERVING, NOT_SERVING = health_pb2.HealthCheckResponse.SERVING, health_pb2.HealthCheckResponse.NOT_SERVING


class Dependency:
    def __init__(self):
        self.good, self.asked = True, 0

    def __call__(self):
        self.asked += 1
        if not self.good:
            raise ConnectionError


@pytest.fixture
def ask(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "FRESH", 0.0)
    store, bus = Dependency(), Dependency()
    health = Health({"store": store}, {"bus": bus, "flag": lambda: False})
    with (
        serving(settings(tmp_path), health=health) as port,
        grpc.insecure_channel(f"127.0.0.1:{port}") as channel,
    ):
        stub = health_pb2_grpc.HealthStub(channel)

        def check(name=""):
            # No token is needed: who asks is a machine, and learns nothing but yes or no.
            return stub.Check(health_pb2.HealthCheckRequest(service=name), timeout=5).status

        yield check, store, bus, health, stub


def test_only_what_is_needed_decides(ask):
    check, store, bus, _, _ = ask
    assert check() == SERVING
    bus.good = False
    assert (check(), check("bus"), check("store"), check("flag")) == (
        SERVING,
        NOT_SERVING,
        SERVING,
        NOT_SERVING,
    )
    store.good = False
    assert (check(), check("store")) == (NOT_SERVING, NOT_SERVING)
    store.good = True
    assert check() == SERVING


def test_stopping_is_not_serving(ask):
    check, _, _, health, _ = ask
    health.stopping = True
    assert check() == NOT_SERVING
    assert health.report() == {"store": True, "bus": True, "flag": False}


def test_unknown_names_and_watch(ask):
    check, _, _, _, stub = ask
    with pytest.raises(grpc.RpcError) as problem:
        check("nobody")
    assert problem.value.code() is grpc.StatusCode.NOT_FOUND
    with pytest.raises(grpc.RpcError) as problem:
        list(stub.Watch(health_pb2.HealthCheckRequest(), timeout=5))
    assert problem.value.code() is grpc.StatusCode.UNIMPLEMENTED


def test_a_dependency_is_asked_once_a_second(ask, monkeypatch):
    check, store, _, _, _ = ask
    monkeypatch.setattr(module, "FRESH", 60.0)
    check()
    before = store.asked
    for _ in range(20):
        check()
    assert store.asked == before
