"""The gRPC services which the portal's pages call, each with the token of the person at the page."""

from __future__ import annotations

from functools import cache

from tongban.portal.v1 import administration_pb2_grpc, apps_pb2_grpc, directory_pb2_grpc

from chassis.client import Client
from chassis.identity import ServiceToken
from chassis.settings import settings


@cache
def apps() -> Client:
    """The catalogue."""
    return Client("portal", apps_pb2_grpc.AppServiceStub)


@cache
def directory() -> Client:
    """Units and people."""
    return Client("portal", directory_pb2_grpc.DirectoryServiceStub)


@cache
def administration() -> Client:
    """Dead letters."""
    return Client("portal", administration_pb2_grpc.AdministrationServiceStub)


@cache
def receipts() -> Client:
    """What a page may ask after the person has signed out: by the portal's own token."""
    return Client("portal", administration_pb2_grpc.AdministrationServiceStub, ServiceToken(settings()).get)
