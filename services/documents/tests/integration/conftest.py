"""The documents service in this process, on the engines of the test stack."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from tongban.documents.v1 import documents_pb2_grpc as stubs

from chassis.directory import Directory
from services.documents.__main__ import SERVICE
from tests.inprocess import InProcess, directory_of

UNITS = [
    ("qfb", "云溪区人民政府办公室", "", "organisation"),
    ("qfb-mishu", "秘书科", "qfb", "division"),
    ("fgw", "云溪区发展和改革局", "", "organisation"),
    ("fgw-zonghe", "综合科", "fgw", "division"),
    ("fgw-touzi", "投资科", "fgw", "division"),
    ("czj", "云溪区财政局", "", "organisation"),
    ("wjj", "云溪区卫生健康局", "", "organisation"),
]
PEOPLE = {
    "clerk": ["qfb:registrar", "qfb-mishu:member"],
    "head": ["qfb-mishu:head"],
    "boss": ["qfb:leader"],
    "fgw-clerk": ["fgw:registrar"],
    "fgw-boss": ["fgw:leader"],
    "zonghe": ["fgw-zonghe:member"],
    "touzi": ["fgw-touzi:member"],
    "czj-clerk": ["czj:registrar"],
    "wjj-clerk": ["wjj:registrar"],
}


def organs(directory: Directory) -> Directory:
    """Give every organisation its 机关代字, without which it may not issue."""
    for unit in directory.units():
        if unit.kind == "organisation":
            unit.organ_code = {"qfb": "云政办发", "fgw": "云发改"}.get(unit.unit, f"云{unit.unit}")
    return directory


@pytest.fixture(scope="module")
def documents(engines: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[InProcess]:
    """The service, its directory and a way to call it."""
    directory = organs(directory_of(UNITS, PEOPLE))
    var: Path = tmp_path_factory.mktemp("documents")
    running = InProcess(SERVICE, engines["mongo"], engines["nats"], var, directory)
    with running.running(stubs.DocumentServiceStub, stubs.DeliveryServiceStub) as ready:
        yield ready
