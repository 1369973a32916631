"""The service in this process, on the engines of the fixture `engines`."""

from __future__ import annotations

import base64
import json
import os
from concurrent import futures
from pathlib import Path
from types import SimpleNamespace

import grpc
import pytest
from google.api import httpbody_pb2
from tongban.documents.v1 import documents_pb2_grpc
from tongban.knowledge.v1 import knowledge_pb2 as pb
from tongban.knowledge.v1 import knowledge_pb2_grpc

from chassis import client
from chassis.errors import from_rpc_error
from services.knowledge.__main__ import SERVICE
from tests.inprocess import InProcess, directory_of, token

REGULATIONS = Path(__file__).resolve().parents[4].parent / "shared" / "data" / "regulations"
UNITS = [
    ("qzf", "云溪区人民政府", "", "organisation"),
    ("zfb", "云溪区人民政府办公室", "qzf", "organisation"),
    ("zfb-mishu", "秘书科", "zfb", "division"),
    ("fgw", "云溪区发展和改革局", "qzf", "organisation"),
    ("fgw-tz", "投资科", "fgw", "division"),
    ("jtj", "云溪区交通运输局", "qzf", "organisation"),
]
PEOPLE = {
    "wenshu": ["zfb:registrar"],
    "mishu": ["zfb-mishu:member"],
    "fg-wenshu": ["fgw:registrar"],
    "keyuan": ["fgw-tz:member"],
    "jiaotong": ["jtj:member"],
}
AS = {person: token(person, *posts) for person, posts in PEOPLE.items()}
AS["jimi"] = token("jimi", "zfb:member", clearance=2)
_SERVICE = {"person": "svc", "posts": [], "roles": [], "service": "knowledge"}
AS["service"] = base64.urlsafe_b64encode(json.dumps(_SERVICE).encode()).decode()


class Documents(documents_pb2_grpc.DocumentServiceServicer):
    """The document service as far as filing asks it: hands out bytes, unless it is told to fail."""

    def __init__(self):
        self.files = {}
        self.away = False
        self.asked = []

    def ReadFile(self, request, rpc):  # noqa: N802
        self.asked.append(
            (request.document, request.digest, dict(rpc.invocation_metadata()).get("authorization", ""))
        )
        if self.away:
            rpc.abort(grpc.StatusCode.UNAVAILABLE, "away")
        if request.digest not in self.files:
            rpc.abort(grpc.StatusCode.NOT_FOUND, "unknown: an event of an earlier run")
        data = self.files[request.digest]
        for start in range(0, len(data), 1000):
            yield httpbody_pb2.HttpBody(data=data[start : start + 1000])


@pytest.fixture(scope="session")
def documents():
    server = grpc.server(futures.ThreadPoolExecutor(8))
    fake = Documents()
    documents_pb2_grpc.add_DocumentServiceServicer_to_server(fake, server)
    os.environ["TONGBAN_GRPC_DOCUMENTS"] = f"127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
    server.start()
    yield fake
    server.stop(0)


@pytest.fixture(scope="module")
def knowledge(tmp_path_factory, documents, engines):
    mongo, nats = engines["mongo"], engines["nats"]
    service = InProcess(
        SERVICE, mongo, nats, tmp_path_factory.mktemp("knowledge"), directory_of(UNITS, PEOPLE)
    )
    service.parts.__dict__["token"] = SimpleNamespace(get=lambda: AS["service"])
    with service.running(knowledge_pb2_grpc.KnowledgeServiceStub) as running:
        # The import's own client finds this very server.
        os.environ["TONGBAN_GRPC_KNOWLEDGE"] = f"127.0.0.1:{running.port}"
        client._channels.pop("knowledge", None)
        yield running


@pytest.fixture
def upload(knowledge):
    """upload(person, {name: bytes}, **header) → the new item."""

    def send(person, files=None, **header):
        header.setdefault("request_id", os.urandom(8).hex())
        parts = [pb.UploadItemRequest(header=pb.UploadHeader(**header))]
        for name, data in (files or {}).items():
            parts.append(pb.UploadItemRequest(file=pb.FileStart(name=name)))
            parts += [pb.UploadItemRequest(chunk=data[at : at + 700]) for at in range(0, len(data), 700)]
        return knowledge.call("UploadItem", iter(parts), AS[person])

    return send


@pytest.fixture
def search(knowledge):
    """search(person, words, **more) → the answer."""

    def ask(person, words="", **more):
        return knowledge.call("SearchItems", pb.SearchItemsRequest(words=words, **more), AS[person])

    return ask


@pytest.fixture
def file_bytes(knowledge):
    """file_bytes(person, item, digest) → (media type, bytes)."""

    def read(person, item, digest):
        request = pb.ReadItemFileRequest(item=item, digest=digest)
        try:
            pieces = list(knowledge.call("ReadItemFile", request, AS[person]))
        except grpc.RpcError as problem:
            raise from_rpc_error(problem) from problem
        return pieces[0].content_type, b"".join(piece.data for piece in pieces)

    return read
