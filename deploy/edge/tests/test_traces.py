"""Where a trace begins: a real nginx in front of a server that says what it was told."""

import json
import shutil
import ssl
import subprocess
import threading
import time
import tomllib
import urllib.error
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from deploy.edge import render as edge
from deploy.edge.tests.test_render import ENV, NGINX
from deploy.local import tls
from deploy.local.ports import free_block

GIVEN = f"00-{'f' * 32}-{'e' * 16}-01"
NOBODY = f"00-{'0' * 32}-{'e' * 16}-01"


class Told(BaseHTTPRequestHandler):
    """Answers with the headers of the request."""

    def do_GET(self):
        told = json.dumps({name.lower(): value for name, value in self.headers.items()}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(told)))
        self.end_headers()
        self.wfile.write(told)

    def log_message(self, *_):
        """Quiet."""


@pytest.fixture
def behind(tmp_path, monkeypatch):
    """behind(trusted, headers) → what the server behind an edge with these trusted upstreams is told, and the edge's log line."""
    monkeypatch.setattr(edge, "MEMORY", tmp_path / "none")
    tls.ensure(tmp_path / "tls")
    units = tomllib.loads((edge.ROOT / "deploy" / "units.toml").read_text())
    server = ThreadingHTTPServer(("127.0.0.1", 0), Told)
    threading.Thread(target=server.serve_forever, daemon=True).start()

    def ask(trusted, headers):
        out = tmp_path / "edge"
        shutil.rmtree(out, ignore_errors=True)
        with free_block() as port:
            given = ENV | {
                "TONGBAN_TLS": str(tmp_path / "tls"), "TONGBAN_EDGE_PORT": str(port), "TONGBAN_PUBLIC_URL": f"https://localhost:{port}",
                "TONGBAN_HTTP_GATEWAY": f"127.0.0.1:{server.server_port}", "TONGBAN_EDGE_WORKERS": "1",
                "TONGBAN_TRUSTED_UPSTREAMS": trusted, "TONGBAN_EDGE_STATUS": f"127.0.0.1:{port + 1}",
            }  # fmt: skip
            nginx = subprocess.Popen(
                [NGINX, "-p", out, "-c", edge.render(given, units, out), "-g", "daemon off;"]
            )
            try:
                request = urllib.request.Request(f"https://localhost:{port}/auth/login", headers=headers)
                told = json.loads(
                    patiently(request, ssl.create_default_context(cafile=tmp_path / "tls" / "ca.crt"))
                )
                status = patiently(urllib.request.Request(f"http://127.0.0.1:{port + 1}/status"), None)
                assert b"Active connections" in status
            finally:
                nginx.terminate()
                nginx.wait(10)
        return told, json.loads((out / "access.log").read_text())

    yield ask
    server.shutdown()
    server.server_close()


def patiently(request, context):
    end = time.monotonic() + 10
    while True:
        try:
            with urllib.request.urlopen(request, timeout=5, context=context) as answer:  # noqa: S310 - our own address
                return answer.read()
        except urllib.error.URLError:
            if time.monotonic() > end:
                raise


@pytest.mark.skipif(not NGINX, reason="nginx is not installed")
@pytest.mark.parametrize(
    ("trusted", "given"),
    [("", GIVEN), ("10.0.0.0/8", GIVEN), ("127.0.0.1", "00-nonsense"), ("127.0.0.1", NOBODY)],
)
def test_the_edge_begins_the_trace_whatever_a_browser_says(behind, trusted, given):
    told, line = behind(trusted, {"traceparent": given, "tracestate": "x=1", "baggage": "a=b"})
    request_id = told["x-request-id"]
    assert told["traceparent"] == f"00-{request_id}-{request_id[:16]}-01"
    assert line["trace"] == line["request_id"] == request_id
    assert not {"tracestate", "baggage"} & set(told)


@pytest.mark.skipif(not NGINX, reason="nginx is not installed")
def test_the_trace_of_a_trusted_upstream_goes_on(behind):
    told, line = behind("10.0.0.0/8, 127.0.0.1", {"traceparent": GIVEN})
    assert told["traceparent"] == GIVEN
    assert line["trace"] == "f" * 32
    assert line["request_id"] == told["x-request-id"] != line["trace"]


def test_what_is_no_network_is_refused(tmp_path):
    units = tomllib.loads((edge.ROOT / "deploy" / "units.toml").read_text())
    for wrong in ("everybody", "10.0.0.0/8; include /etc/passwd"):
        with pytest.raises(edge.BadSetting, match="TRUSTED_UPSTREAMS"):
            edge.render(ENV | {"TONGBAN_TRUSTED_UPSTREAMS": wrong}, units, tmp_path / "edge")
