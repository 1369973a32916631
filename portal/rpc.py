"""What the portal's gRPC server offers, and who may call it."""

from __future__ import annotations

from typing import Any

from tongban.portal.v1 import administration_pb2_grpc, apps_pb2_grpc, directory_pb2_grpc

from chassis.parts import Parts
from portal import administration_rpc, app_rpc
from portal.directory import rpc as directory_rpc
from portal.parts import PortalParts

WHO = {**directory_rpc.WHO, **app_rpc.WHO, **administration_rpc.WHO}

# Refused while nobody could keep their record: people and units, the catalogue, the vault, what was dead and is sent anew.
SECURITY = frozenset(
    {
        "SaveUnits",
        "SavePeople",
        "SaveRights",
        "SaveApp",
        "RemoveApp",
        "SaveCredential",
        "ForgetCredential",
        "ReplayDeadLetter",
    }
)


def add(chassis: Parts, server: Any) -> None:
    """Puts the portal's services into the server."""
    parts = PortalParts(chassis)
    directory_pb2_grpc.add_DirectoryServiceServicer_to_server(directory_rpc.DirectoryRpc(chassis), server)
    apps_pb2_grpc.add_AppServiceServicer_to_server(app_rpc.AppRpc(parts), server)
    administration_pb2_grpc.add_AdministrationServiceServicer_to_server(
        administration_rpc.AdministrationRpc(parts), server
    )
