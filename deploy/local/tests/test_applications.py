"""A little platform of its own, without engines: a unit needs its code and its table, nothing else."""

import http.client
import json

import pytest

from deploy.local.stack import NotReady, Stack

UNITS = """
[portal]
module = "portal"
setup = true

[archive]
grpc = 2
work = true
pages = true
stream = true
path = "/archive/"
title = "档案"
icon = "folder"

[oldsite]
module = "samples.oldsite"
site = "oldsite"

[missing]
grpc = 1
"""

SERVICE = """
import os, pathlib, socket, sys, time
var = pathlib.Path(os.environ["TONGBAN_VAR"])
if sys.argv[1] == "work":
    (var / "ready" / "archive-work").touch()
    time.sleep(600)
host, port = os.environ["TONGBAN_GRPC"].split(":")
server = socket.socket()
server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
server.bind((host, int(port)))
server.listen()
time.sleep(600)
"""

PAGES = """
import json, os
def app():
    def answer(environ, start):
        start("200 OK", [("Content-Type", "application/json")])
        return [json.dumps({k: v for k, v in os.environ.items() if k.startswith("TONGBAN_")}).encode()]
    return answer
"""

STREAM = """
def app():
    async def answer(scope, receive, send):
        if scope["type"] == "lifespan":
            return
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"ok"})
    return answer
"""

SETUP = """
import os, pathlib, sys
assert sys.argv[1:] == ["setup"]
(pathlib.Path(os.environ["TONGBAN_VAR"]) / "setup.done").touch()
"""

SITE = """
import http.server, os
class Site(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
http.server.HTTPServer(("127.0.0.1", int(os.environ["TONGBAN_PORT"])), Site).serve_forever()
"""


@pytest.fixture
def clone(tmp_path):
    root = tmp_path / "clone"
    files = {
        "deploy/units.toml": UNITS,
        "portal/__main__.py": SETUP,
        "services/archive/__main__.py": SERVICE,
        "services/archive/pages/__init__.py": PAGES,
        "services/archive/stream.py": STREAM,
        "samples/oldsite.py": SITE,
    }
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return root


def test_a_unit_needs_its_table_and_nothing_else(clone, tmp_path):
    said = []
    with Stack(tmp_path / "var", engines=(), root=clone, say=said.append, seconds=60) as stack:
        assert set(stack.names) == {
            "portal-setup",
            "archive-serve",
            "archive-serve-2",
            "archive-work",
            "archive-pages",
            "archive-stream",
            "oldsite-site",
        }
        assert "missing is left out: services.missing is not in this clone" in said
        assert (tmp_path / "var" / "setup.done").exists()

        connection = http.client.HTTPConnection(stack.env["TONGBAN_HTTP_ARCHIVE"], timeout=5)
        connection.request("GET", "/")
        seen = json.loads(connection.getresponse().read())
        assert (seen["TONGBAN_SERVICE"], seen["TONGBAN_PROCESS"]) == ("archive", "pages")
        assert seen["TONGBAN_PUBLIC_URL"] == stack.url

        stack.kill("archive-work", hold=False)
        stack.wait_ready("archive-work")
        stack.halt("archive-pages")
        connection.close()
        with pytest.raises(ConnectionRefusedError):
            connection.request("GET", "/")
        stack.restart("archive-pages")
    assert not (tmp_path / "var" / "state.json").exists()


def test_what_cannot_start_is_named_with_its_reason(clone, tmp_path):
    (clone / "services/archive/pages/__init__.py").write_text("raise RuntimeError('no such table')\n")
    with (
        pytest.raises(NotReady, match=r"archive-pages \(it said: .*RuntimeError: no such table"),
        Stack(tmp_path / "var", engines=(), root=clone, say=lambda _: None, seconds=15),
    ):
        pass
