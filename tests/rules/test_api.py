"""The API definitions keep the house's contracts: request ids, etags' place, HTTP paths, lint."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest
from google.api import annotations_pb2

from gateway import routes
from tests.rules import tree

READING = ("Get", "List", "Search", "Read", "Find", "Suggest")
ALL = [method for methods in tree.rpcs().values() for method in methods]
# Changes nothing that lasts.
NO_EFFECT = {
    "tongban.portal.v1.AppService.LaunchApp": "hands out a ticket of one minute; each click has its own",
    "tongban.portal.v1.AppService.TestConnector": "tries a connector and throws the session away",
}
# Not offered over REST, though not streaming from the client.
NO_PATH = {
    "tongban.portal.v1.AppService.LaunchApp": "the answer is a ticket that belongs into a browser",
    "tongban.portal.v1.AppService.TestConnector": "a button of the page; its report is written for people",
    "tongban.portal.v1.AppService.SaveCredential": "a password is typed into our page and nowhere else",
    "tongban.portal.v1.AppService.ForgetCredential": "as SaveCredential",
    "tongban.portal.v1.AdministrationService.ListReceipts": "asked by the portal itself, with its own token",
}


def names(methods):
    return [method.full_name for method in methods]


@pytest.mark.parametrize("method", ALL, ids=names(ALL))
def test_a_mutating_request_carries_a_request_id(method):
    if method.name.startswith(READING):
        assert "request_id" not in method.input_type.fields_by_name, "a reading method needs none"
        return
    if method.full_name in NO_EFFECT:
        return
    headers = [method.input_type]
    if method.client_streaming:
        # A stream's first message says what is wanted; the id stands there.
        headers += [field.message_type for field in method.input_type.fields if field.message_type]
    if method.full_name == "tongban.knowledge.v1.KnowledgeService.ImportItem":
        # Path and content are the key of an import: the same file twice is one item, whoever sends it.
        assert {"path", "digest"} <= {field for one in headers for field in one.fields_by_name}
        return
    assert any("request_id" in one.fields_by_name for one in headers)


@pytest.mark.parametrize("method", ALL, ids=names(ALL))
def test_a_method_has_a_path_of_its_service(method):
    options = method.GetOptions()
    if method.client_streaming or method.full_name in NO_PATH:
        assert not options.HasExtension(annotations_pb2.http)
        return
    assert options.HasExtension(annotations_pb2.http)
    rule = options.Extensions[annotations_pb2.http]
    service = method.containing_service.file.package.split(".")[1]
    for binding in (rule, *rule.additional_bindings):
        kind = binding.WhichOneof("pattern")
        assert getattr(binding, kind).startswith(f"/api/v1/{service}/")
        # What a browser may prefetch must not change anything.
        assert kind != "get" or method.name.startswith(READING)


def test_the_exceptions_are_still_needed():
    known = set(names(ALL))
    assert not (set(NO_EFFECT) | set(NO_PATH)) - known


def test_no_two_routes_collide():
    """The gateway refuses the same pattern twice; here also: each route is found under a path of its own."""
    table = routes.load()
    for route in table.all:
        path = "/" + "/".join(
            "x1" if part.startswith("{") else part
            for part in _filled(route.template.text).strip("/").split("/")
        )
        found, _ = table.find(route.verb, path) or (None, None)
        assert found is route, (
            f"{route.verb} {route.template.text} is hidden by {found and found.template.text}"
        )
    print(f"{len(table.all)} routes, no collision")


def _filled(text):
    """/a/{b}:c → /a/x1:c"""
    out = text
    while "{" in out:
        start, _, rest = out.partition("{")
        out = f"{start}x1{rest.partition('}')[2]}"
    return out


def test_buf_has_nothing_to_say():
    buf = Path(sys.executable).with_name("buf")
    image = tree.ROOT / "build" / "image.binpb"
    command = [buf, "lint", image, "--config", tree.ROOT / "proto" / "buf.yaml", "--path", "tongban"]
    ended = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tree.ROOT)
    assert ended.returncode == 0, ended.stdout + ended.stderr


def test_every_length_of_a_page_goes_through_its_bounds():
    """What a caller asks for is read as an argument of chassis.bounds.page_size, and nowhere else."""
    read, bounded = [], []
    for module in tree.modules():
        for node in ast.walk(ast.parse(module.path.read_text())):
            if isinstance(node, ast.Attribute) and ast.unparse(node) == "request.page_size":
                read.append((module.name, node.lineno))
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "bounds.page_size":
                assert ast.unparse(node.args[0]) == "request.page_size"
                bounded.append((module.name, node.args[0].lineno))
    assert bounded
    assert sorted(read) == sorted(bounded)
