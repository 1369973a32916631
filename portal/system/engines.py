"""Asks the engines how they are, each by its own way and none for longer than a few seconds."""

from __future__ import annotations

import re
from functools import cache
from typing import Any

import httpx

from chassis import log
from chassis.errors import TongbanError
from chassis.parts import Parts
from chassis.settings import text
from chassis.streams import DEAD, STREAM
from portal.system.facts import Broker, Consumer, Engine

SECONDS = 5.0
_log = log.get(__name__)


def get(address: str, **parameters: Any) -> httpx.Response:
    """What stands at an address of the platform's own inside; raises httpx.HTTPError."""
    return _client().get(address, **parameters).raise_for_status()


@cache
def _client() -> httpx.Client:
    # Without the shell's proxies: these addresses are of this machine or this cluster. One for all, for making one takes long; but
    # no connection is kept, because a pool closes idle ones that another thread has begun to use.
    return httpx.Client(trust_env=False, timeout=SECONDS, limits=httpx.Limits(max_keepalive_connections=0))


def broker() -> Broker | None:
    """The broker's own account of streams and consumers; None when it does not answer or is not known."""
    monitor = text("NATS_MONITOR")
    if not monitor:
        return None
    try:
        version = get(f"{monitor}/varz").json()["version"]
        told = get(f"{monitor}/jsz", params={"consumers": "true", "config": "true"}).json()
        streams = {
            one["name"]: one
            for account in told.get("account_details", ())
            for one in account["stream_detail"]
        }
        return Broker(
            version=version,
            bytes={name: one["state"]["bytes"] for name, one in streams.items()},
            most={name: one["config"]["max_bytes"] for name, one in streams.items() if one["config"]["max_bytes"] > 0},
            dead=streams[DEAD]["state"]["messages"] if DEAD in streams else 0,
            consumers=tuple(_consumer(one) for one in streams.get(STREAM, {}).get("consumer_detail", ())),
        )  # fmt: skip
    except (httpx.HTTPError, ValueError, KeyError) as problem:
        _log.warning("engine away", engine="nats", problem=str(problem) or type(problem).__name__)
        return None


def _consumer(told: dict[str, Any]) -> Consumer:
    config = told["config"]
    return Consumer(
        durable=told["name"],
        title=config.get("description", ""),
        pending=told["num_pending"],
        unacknowledged=told["num_ack_pending"],
        redelivered=told["num_redelivered"],
        done=told["ack_floor"]["stream_seq"],
        subjects=tuple(config.get("filter_subjects") or [config.get("filter_subject", ">")]),
    )


def database(parts: Parts) -> Engine:
    """The database, by the portal's own way to it."""
    try:
        return Engine("mongo", up=True, version=parts.store.version())
    except TongbanError as problem:
        return Engine("mongo", up=False, detail=problem.zh)


def identity() -> Engine:
    """Keycloak, by its management port."""
    management = text("KEYCLOAK_MANAGEMENT")
    return _asked("keycloak", f"{management}/health/ready" if management else "")


def edge() -> Engine:
    """The edge, by nginx' own figures."""
    status = text("EDGE_STATUS")
    return _asked("edge", f"http://{status}/status" if status else "")


def edge_figures() -> dict[str, float]:
    """Nginx' own figures: connections by what they do, and requests since its start; raises httpx.HTTPError."""
    told = get(f"http://{text('EDGE_STATUS')}/status").text
    found = {
        name.lower(): float(value)
        for name, value in re.findall(r"(Active|Reading|Writing|Waiting)[^:]*: (\d+)", told)
    }
    numbers = re.search(r"\n (\d+) (\d+) (\d+)", told)
    return {**found, "requests": float(numbers[3]) if numbers else 0.0}


def _asked(engine: str, address: str) -> Engine:
    if not address:
        return Engine(engine, up=None)
    try:
        get(address)
    except httpx.HTTPError as problem:
        _log.warning("engine away", engine=engine, problem=str(problem) or type(problem).__name__)
        return Engine(engine, up=False)
    return Engine(engine, up=True)
