"""What the chassis' own tests stand on: settings, one aggregate with events, a gRPC service of a few lines, a realm with keys."""

from __future__ import annotations

import contextlib
import json
import os
import threading
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import grpc
import jwt
from cryptography.hazmat.primitives.asymmetric import rsa
from tongban.documents.v1 import documents_pb2
from tongban.events.v1 import obligation_pb2

from chassis.aggregate import Aggregate
from chassis.errors import NotSignedIn, wrong_state
from chassis.health import Health
from chassis.identity_types import Principal
from chassis.repository import Repository
from chassis.server import build
from chassis.settings import Settings
from chassis.store import Store

ROOT = Path(__file__).parents[2]
TOKEN = "token-of-a-clerk"
CLERK = Principal("p1", "张三", posts=("fgw:member",), session="s1")


def settings(var: Path, **given: str) -> Settings:
    """Settings of a service of which there is only one."""
    made: dict[str, Any] = {
        "service": f"chassis{uuid.uuid4().hex[:8]}", "process": "test", "public_url": "https://test.local", "mongo_uri": "",
        "nats_url": "", "keycloak_url": "http://127.0.0.1:9/id", "realm": "tongban", "var": var, "secrets": var,
    }  # fmt: skip
    return Settings(**{**made, **given})


def environment(**more: str) -> dict[str, str]:
    """What a process of this clone needs to find its code."""
    return {**os.environ, "PYTHONPATH": f"{ROOT}:{ROOT / 'build' / 'gen'}", **more}


@dataclass(kw_only=True)
class Thing(Aggregate):
    """A counter that tells every change, as often as `news` says."""

    number: int = 0
    words: dict[str, str] = field(default_factory=dict)

    def add(self, amount: int = 1, events: int = 1) -> None:
        if amount == 0:
            raise wrong_state("数值未变。")
        self.number += amount
        for part in range(events):
            self.tell(self.number * 1000 + part)


def to_wire(thing: Thing, event: int) -> obligation_pb2.ObligationClosed:
    return obligation_pb2.ObligationClosed(obligation=thing.id, sequence=event)


def things(store: Store, given: Settings, name: str = "things", **more: Any) -> Repository[Thing]:
    return Repository(store, given.service, Thing, name, to_wire=to_wire, **more)


class OneToken:
    """A verifier that knows one token."""

    def __init__(self, principal: Principal = CLERK) -> None:
        self.principal = principal

    def verify(self, token: str) -> Principal:
        if token != TOKEN:
            raise NotSignedIn("NOT_SIGNED_IN", "请先登录。")
        return self.principal


Request, Answer = documents_pb2.RemoveFileRequest, documents_pb2.Document
SERVICE = "test.v1.Test"


class Stub:
    """The client's side of `serving`."""

    def __init__(self, channel: grpc.Channel) -> None:
        def of(kind: str, name: str) -> Any:
            return getattr(channel, kind)(f"/{SERVICE}/{name}", Request.SerializeToString, Answer.FromString)

        self.One = of("unary_unary", "One")
        self.Missing = of("unary_unary", "Missing")
        self.Absent = of("unary_unary", "Absent")
        self.Take = of("stream_unary", "Take")
        self.Give = of("unary_stream", "Give")
        self.Talk = of("stream_stream", "Talk")


WHO = {name: frozenset({"person"}) for name in ("One", "Take", "Give", "Talk")}


@contextlib.contextmanager
def serving(
    given: Settings, who: Any = WHO, verifier: Any = None, health: Health | None = None, **methods: Any
) -> Iterator[int]:
    """A server with the real door; `methods` are plain functions (request, context) → answer. Yields the port."""
    kinds = {
        "One": grpc.unary_unary_rpc_method_handler, "Missing": grpc.unary_unary_rpc_method_handler,
        "Take": grpc.stream_unary_rpc_method_handler, "Give": grpc.unary_stream_rpc_method_handler,
        "Talk": grpc.stream_stream_rpc_method_handler,
    }  # fmt: skip
    server = build(given, verifier or OneToken(), who, health or Health({}, {}))
    handlers = {
        name: kinds[name](method, Request.FromString, Answer.SerializeToString)
        for name, method in methods.items()
    }
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(SERVICE, handlers),))
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        yield port
    finally:
        server.stop(0).wait()


KID = "key-1"


def key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65537, 2048)


class Realm:
    """A realm's key set over HTTP, and tokens signed with its key."""

    def __init__(self) -> None:
        self.keys = {KID: key()}
        self.asked: list[float] = []
        self.broken = False
        realm = self

        class Answers(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                realm.asked.append(time.monotonic())
                self.send_response(500 if realm.broken else 200)
                self.end_headers()
                self.wfile.write(json.dumps(realm.jwks()).encode())

            def log_message(self, *_: object) -> None:
                """Quiet."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Answers)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.server_port}/id"

    def jwks(self) -> dict[str, Any]:
        def jwk(kid: str, private: rsa.RSAPrivateKey) -> dict[str, Any]:
            public = json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(private.public_key()))
            return {**public, "kid": kid, "use": "sig", "alg": "RS256"}

        return {"keys": [jwk(kid, private) for kid, private in self.keys.items()]}

    def sign(self, kid: str = KID, with_key: rsa.RSAPrivateKey | None = None, **claims: Any) -> str:
        """An access token as Keycloak makes them; a claim of None is left out."""
        now = int(time.time())
        usual = {
            "iss": "https://test.local/id/realms/tongban", "aud": "tongban", "sub": "p1", "typ": "Bearer", "iat": now, "exp": now + 300,
            "name": "张三", "preferred_username": "zhangsan", "azp": "gateway", "posts": ["fgw:member"], "sid": "s1",
        }  # fmt: skip
        body = {name: value for name, value in {**usual, **claims}.items() if value is not None}
        return jwt.encode(body, with_key or self.keys[kid], "RS256", {"kid": kid})
