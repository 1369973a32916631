"""The edge with the sign-in check against nginx that only hands on: the same upstream, the same encryption, one worker each."""

from __future__ import annotations

import contextlib
import ssl
from collections.abc import Iterator
from pathlib import Path

from deploy.edge import render
from deploy.local import units
from deploy.local.ports import free_block
from tests.load.measuring import Figure, Servers, ratio
from tests.load.site import COOKIE, ROOT, Site, process, wrk

NGINX = "/usr/sbin/nginx"
PAGE = "<p>同办</p>" * 500  # some 7 kB, as a page of a list is when packed
_FRAME = """
worker_processes 1; pid {folder}/nginx.pid; error_log {folder}/error.log error; {user}
events {{ worker_connections 4000; }}
http {{
  access_log {log}; default_type text/html;
  client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/f;
  uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;
  {inside}
}}
"""
_UPSTREAM = """
  server {{
    listen 127.0.0.1:{port}; keepalive_requests 1000000; open_file_cache max=10;
    location / {{ root {folder}; try_files /page.html =404; }}
  }}
"""
_PLAIN = """
  ssl_certificate {tls}/server.crt; ssl_certificate_key {tls}/server.key;
  upstream pages {{ server 127.0.0.1:{upstream}; keepalive 32; }}
  server {{
    listen 127.0.0.1:{port} ssl; keepalive_requests 1000000;
    location / {{ proxy_http_version 1.1; proxy_set_header Connection ""; proxy_set_header Host $host; proxy_pass http://pages; }}
  }}
"""


def run(site: Site, var: Path, *, rounds: int = 5, seconds: float = 3.0) -> list[Figure]:
    """Requests per second of processor time: of the edge and the gateway that it asks; of the plain nginx."""
    browser = site.signed_in("qfb.wenshu")
    cookie = browser.cookie(COOKIE)
    browser.close()
    headers = {"Host": site.stack.url.removeprefix("https://"), "Cookie": f"{COOKIE}={cookie}"}
    with (
        free_block() as base,
        _upstream(var, base),
        _plain(site, var, base + 1, base) as plain,
        _edge(site, var, base + 2, base) as edge,
    ):
        gateway = site.servers("gateway-web")
        ours = edge.with_(gateway)

        def load(servers: Servers, port: int) -> float:
            url = f"https://127.0.0.1:{port}/tasks/"
            return servers.per_cpu_second(lambda: wrk(url, seconds, headers=headers))

        # Each asks once before, so that no round holds the first handshake or the first question.
        for port in (base + 1, base + 2):
            wrk(f"https://127.0.0.1:{port}/tasks/", 1, headers=headers)
        _checks(site, base + 2, headers)
        return [
                ratio(
                    "edge", "requests per CPU-second, sign-in checked (edge + gateway) / nginx proxy_pass without a check",
                    lambda: load(ours, base + 2), lambda: load(plain, base + 1), rounds=rounds, mark=0.65,
                )
            ]  # fmt: skip


def _checks(site: Site, port: int, headers: dict[str, str]) -> None:
    """Make sure that the check is really made: without the cookie there is no page."""
    import http.client

    context = site.trust()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    link = http.client.HTTPSConnection("127.0.0.1", port, context=context)
    link.request("GET", "/tasks/", headers={"Host": headers["Host"]})
    assert link.getresponse().status == 302
    link.close()


@contextlib.contextmanager
def _nginx(folder: Path, inside: str, port: int, log: str = "off") -> Iterator[Servers]:
    folder.mkdir(parents=True, exist_ok=True)
    config = folder / "nginx.conf"
    config.write_text(_FRAME.format(folder=folder, inside=inside, user="user root;", log=log))
    with _started(folder, config, port) as servers:
        yield servers


@contextlib.contextmanager
def _started(folder: Path, config: Path, port: int) -> Iterator[Servers]:
    command = [NGINX, "-p", str(folder), "-c", str(config), "-g", "daemon off;"]
    with process(command, {}, port, folder / "out.log") as servers:
        yield servers


@contextlib.contextmanager
def _upstream(var: Path, port: int) -> Iterator[Servers]:
    folder = var / "upstream"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "page.html").write_text(PAGE)
    with _nginx(folder, _UPSTREAM.format(port=port, folder=folder), port) as servers:
        yield servers


@contextlib.contextmanager
def _plain(site: Site, var: Path, port: int, upstream: int) -> Iterator[Servers]:
    inside = _PLAIN.format(tls=site.settings.var / "tls", port=port, upstream=upstream)
    with _nginx(var / "plain", inside, port, f"{var}/plain/access.log") as servers:
        yield servers


@contextlib.contextmanager
def _edge(site: Site, var: Path, port: int, upstream: int) -> Iterator[Servers]:
    """The platform's own configuration; only where the pages of tasks come from is other."""
    folder = var / "edge"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    env = {
        **site.stack.env, "TONGBAN_EDGE_PORT": str(port), "TONGBAN_EDGE_WORKERS": "1",
        "TONGBAN_HTTP_TASKS": f"127.0.0.1:{upstream}", "TONGBAN_EDGE_STATUS": f"127.0.0.1:{port + 1}",
    }  # fmt: skip
    config = render.render(env, units.table(ROOT), folder)
    with _started(folder, config, port) as servers:
        yield servers
