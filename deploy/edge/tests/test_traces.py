"""Where a trace begins: a real nginx in front of a server that says what it was told."""

import json
import threading
import tomllib
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx
import pytest

from deploy.edge import render as edge
from deploy.edge.tests.alone import ENV, NGINX, alone

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
    server = ThreadingHTTPServer(("127.0.0.1", 0), Told)
    threading.Thread(target=server.serve_forever, daemon=True).start()

    def ask(trusted, headers):
        with alone(tmp_path, server.server_port, TONGBAN_TRUSTED_UPSTREAMS=trusted) as running:
            told = running.client.get("/auth/login", headers=headers).json()
            assert "Active connections" in httpx.get(running.status).text
        return told, json.loads((running.folder / "access.log").read_text())

    yield ask
    server.shutdown()
    server.server_close()


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
