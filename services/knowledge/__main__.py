"""The knowledge service: `serve` | `work` | `rebuild-index` | `import FOLDER`."""

from typing import Any

from tongban.documents.v1 import documents_pb2_grpc
from tongban.knowledge.v1 import knowledge_pb2_grpc

from chassis.client import Client
from chassis.parts import Parts
from chassis.process import Service, main
from services.knowledge import events, importing, rpc
from services.knowledge.commands import Shelf
from services.knowledge.registry import ITEMS, open_registry
from services.knowledge.repository import open_items


def _shelf(parts: Parts) -> Shelf:
    index = open_registry(parts.settings.own_var, parts.files)
    return Shelf(open_items(parts), parts.files, index, parts.directory)


def _add(parts: Parts, server: Any) -> None:
    knowledge_pb2_grpc.add_KnowledgeServiceServicer_to_server(rpc.Knowledge(_shelf(parts)), server)


SERVICE = Service(
    "knowledge",
    rpc.WHO,
    add=_add,
    repositories=lambda parts: {ITEMS: open_items(parts)},
    registry=lambda parts: open_registry(parts.settings.own_var, parts.files),
    consumers=lambda parts: events.consumers(
        _shelf(parts), Client("documents", documents_pb2_grpc.DocumentServiceStub, token=parts.token.get)
    ),
    commands={"import": importing.run},
    security=rpc.SECURITY,
)

if __name__ == "__main__":
    main(SERVICE)
