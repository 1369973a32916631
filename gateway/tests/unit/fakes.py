"""Stand-ins for what the gateway reaches over the network, and a small API to serve."""

from __future__ import annotations

import copy
import threading
import time
from pathlib import Path

from google.api import annotations_pb2, httpbody_pb2  # noqa: F401 - both must be in the pool before the sample
from google.api.http_pb2 import HttpRule
from google.protobuf import descriptor_pb2, descriptor_pool, timestamp_pb2  # noqa: F401 - as above
from google.protobuf.descriptor import FileDescriptor

from chassis.errors import Conflict, Exists, NotSignedIn
from chassis.identity_types import Principal
from chassis.settings import Settings
from gateway.oidc import Refused, Tokens
from gateway.parts import GatewayParts
from gateway.routes import Routes, of_file

PUBLIC = "https://localhost:8443"


class FakeCollection:
    def __init__(self):
        self.records = {}
        self._lock = threading.Lock()

    def get(self, key):
        with self._lock:
            return copy.deepcopy(self.records.get(key))

    def insert(self, record):
        with self._lock:
            if record["_id"] in self.records:
                raise Exists("EXISTS", "")
            self.records[record["_id"]] = copy.deepcopy(record)

    def save(self, record, events):
        with self._lock:
            stored = self.records.get(record["_id"])
            if stored is None or stored["revision"] != record["revision"]:
                raise Conflict("CHANGED_MEANWHILE", "")
            self.records[record["_id"]] = copy.deepcopy({**record, "revision": record["revision"] + 1})

    def claim(self, key, holder, **facts):
        with self._lock:
            return self.records.setdefault(key, {"_id": key, "holder": holder, **facts})["holder"]

    def remove(self, key):
        with self._lock:
            self.records.pop(key, None)

    def scan(self):
        with self._lock:
            return iter(copy.deepcopy(list(self.records.values())))


class FakeStore:
    def __init__(self):
        self.collections = {}

    def collection(self, name):
        return self.collections.setdefault(name, FakeCollection())

    def ping(self):
        pass


class FakeBus:
    up = True

    def __init__(self):
        self.hints, self.entries = [], {}

    def put(self, bucket, key, value):
        self.entries[bucket, key] = value

    def subscribe(self, subject, handler):
        pass

    def hint(self, subject, data=b""):
        self.hints.append((subject, data))


class FakeVerifier:
    """A token is "<person>|<login>|…"."""

    def __init__(self):
        self.ended = set()

    def verify(self, token, *, alive=False):
        person, _, rest = token.partition("|")
        login = rest.partition("|")[0]
        if not rest or login in self.ended:
            raise NotSignedIn("NOT_SIGNED_IN", "登录已失效，请重新登录。")
        return Principal(person=person, name="张三", posts=("fgw:registrar",), session=login)

    def end_session(self, login):
        self.ended.add(login)


class FakeOidc:
    """Gives out tokens that live for `life` seconds; each refresh token works once, as Keycloak's do."""

    def __init__(self, person="p1", login="login1", life=300.0):
        self.person, self.login, self.life = person, login, life
        self.refreshes, self.ended, self.live = 0, [], set()
        self.problem = None
        self.pause = 0.0
        self._lock = threading.Lock()

    def answers(self):
        return self.problem is None

    def tokens(self):
        with self._lock:
            self.refreshes += 1
            refresh = f"refresh-token-{self.refreshes}"  # long enough not to stand in random bytes by chance
            self.live.add(refresh)
        access = f"{self.person}|{self.login}|{refresh}"
        return Tokens(access, refresh, time.time() + self.life, "id-token")

    def refresh(self, refresh_token):
        if self.problem:
            raise self.problem
        time.sleep(self.pause)
        with self._lock:
            if refresh_token not in self.live:
                raise Refused("invalid_grant")
            self.live.remove(refresh_token)
        return self.tokens()

    def exchange(self, code, verifier):
        if code != "good":
            raise Refused("invalid_grant")
        return self.tokens()

    def check_id_token(self, token, nonce):
        return {"sub": self.person, "nonce": nonce}

    def authorize_url(self, state, nonce, verifier, *, fresh=False):
        return f"{PUBLIC}/id/auth?state={state}"

    def end(self, refresh_token):
        if self.problem:
            raise self.problem
        self.ended.append(refresh_token)


class FakeUpstream:
    """Answers every call with an empty message of its kind, or with what `answer` makes."""

    def __init__(self):
        self.calls = []
        self.answer = None

    def call(self, route, request, seconds=None):
        self.calls.append((route, request))
        if self.answer:
            return self.answer(route, request)
        from google.protobuf.message_factory import GetMessageClass

        answer = GetMessageClass(route.method.output_type)()
        return iter([answer]) if route.streaming else answer


def settings(tmp_path: Path) -> Settings:
    """A gateway's settings, with its client secret in place and nothing behind its addresses."""
    (tmp_path / "gateway-client-secret").write_text("not a secret")
    return Settings(
        service="gateway",
        process="test",
        public_url=PUBLIC,
        mongo_uri="",
        nats_url="",
        keycloak_url="http://127.0.0.1:9/id",
        realm="tongban",
        var=tmp_path,
        secrets=tmp_path,
    )


def parts(tmp_path: Path) -> GatewayParts:
    made = GatewayParts(settings(tmp_path))
    made.__dict__.update(store=FakeStore(), bus=FakeBus(), verifier=FakeVerifier(), oidc=FakeOidc())
    return made


def logged_in(made: GatewayParts) -> str:
    """The cookie of a new session."""
    return made.sessions.open(made.oidc.tokens(), made.oidc.person, made.oidc.login)


_T = descriptor_pb2.FieldDescriptorProto
_FIELDS = {
    "Thing": [
        ("thing", 1, _T.TYPE_STRING, ""),
        ("title", 2, _T.TYPE_STRING, ""),
        ("count", 3, _T.TYPE_INT32, ""),
        ("big", 4, _T.TYPE_INT64, ""),
        ("ratio", 5, _T.TYPE_DOUBLE, ""),
        ("open", 6, _T.TYPE_BOOL, ""),
        ("state", 7, _T.TYPE_ENUM, ".tongban.sample.v1.State"),
        ("tags", 8, _T.TYPE_STRING, "*"),
        ("inner", 9, _T.TYPE_MESSAGE, ".tongban.sample.v1.Thing"),
        ("things", 10, _T.TYPE_MESSAGE, "*.tongban.sample.v1.Thing"),
        ("due_at", 11, _T.TYPE_MESSAGE, ".google.protobuf.Timestamp"),
        ("etag", 12, _T.TYPE_STRING, ""),
        ("data", 13, _T.TYPE_BYTES, ""),
        ("states", 14, _T.TYPE_ENUM, "*.tongban.sample.v1.State"),
        ("labels", 15, _T.TYPE_MESSAGE, "*.tongban.sample.v1.Thing.LabelsEntry"),
    ],
    "ChangeRequest": [
        ("thing", 1, _T.TYPE_STRING, ""),
        ("title", 2, _T.TYPE_STRING, ""),
        ("request_id", 3, _T.TYPE_STRING, ""),
        ("etag", 4, _T.TYPE_STRING, ""),
        ("content", 5, _T.TYPE_MESSAGE, ".tongban.sample.v1.Thing"),
    ],
}
_METHODS = [
    ("GetThing", "Thing", "Thing", HttpRule(get="/api/v1/sample/things/{thing}")),
    ("ListThings", "Thing", "Thing", HttpRule(get="/api/v1/sample/things")),
    ("CountThings", "Thing", "Thing", HttpRule(get="/api/v1/sample/things:count")),
    ("ChangeThing", "ChangeRequest", "Thing", HttpRule(patch="/api/v1/sample/things/{thing}", body="*")),
    ("CloseThing", "ChangeRequest", "Thing", HttpRule(post="/api/v1/sample/things/{thing}:close", body="*")),
    (
        "PutContent",
        "ChangeRequest",
        "Thing",
        HttpRule(put="/api/v1/sample/things/{thing}/content", body="content"),
    ),
    ("DeleteThing", "ChangeRequest", "Thing", HttpRule(delete="/api/v1/sample/things/{thing}")),
    ("ReadFile", "Thing", "HttpBody", HttpRule(get="/api/v1/sample/files/{thing=**}")),
]


def sample_file() -> FileDescriptor:
    """tongban/sample/v1: one method of each shape."""
    pool = descriptor_pool.Default()
    try:
        return pool.FindFileByName("tongban/sample/v1/sample.proto")
    except KeyError:
        pass
    file = descriptor_pb2.FileDescriptorProto(
        name="tongban/sample/v1/sample.proto", package="tongban.sample.v1", syntax="proto3"
    )
    file.dependency.extend(
        ["google/api/annotations.proto", "google/api/httpbody.proto", "google/protobuf/timestamp.proto"]
    )
    state = file.enum_type.add(name="State")
    for number, name in enumerate(("STATE_UNSPECIFIED", "STATE_OPEN", "STATE_CLOSED")):
        state.value.add(name=name, number=number)
    for message, fields in _FIELDS.items():
        added = file.message_type.add(name=message)
        for name, number, kind, more in fields:
            repeated = more.startswith("*")
            label = _T.LABEL_REPEATED if repeated else _T.LABEL_OPTIONAL
            added.field.add(
                name=name, number=number, type=kind, label=label, type_name=more.removeprefix("*") or None
            )
    entry = file.message_type[0].nested_type.add(name="LabelsEntry")
    entry.options.map_entry = True
    entry.field.add(name="key", number=1, type=_T.TYPE_STRING, label=_T.LABEL_OPTIONAL)
    entry.field.add(name="value", number=2, type=_T.TYPE_STRING, label=_T.LABEL_OPTIONAL)
    service = file.service.add(name="SampleService")
    for name, taken, given, rule in _METHODS:
        answer = ".google.api.HttpBody" if given == "HttpBody" else f".tongban.sample.v1.{given}"
        method = service.method.add(name=name, input_type=f".tongban.sample.v1.{taken}", output_type=answer)
        method.server_streaming = given == "HttpBody"
        method.options.Extensions[annotations_pb2.http].CopyFrom(rule)
    pool.AddSerializedFile(file.SerializeToString())
    return pool.FindFileByName(file.name)


def sample_routes() -> Routes:
    return Routes(of_file(sample_file()))
