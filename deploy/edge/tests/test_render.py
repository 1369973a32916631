import os
import re
import subprocess
import tomllib
from pathlib import Path

import pytest

from deploy.edge import render as edge
from deploy.edge.tests.alone import ENV, NGINX


@pytest.fixture(autouse=True)
def _nothing_in_shared_memory(monkeypatch, tmp_path):
    monkeypatch.setattr(edge, "MEMORY", tmp_path / "none")


@pytest.fixture
def units():
    return tomllib.loads((edge.ROOT / "deploy" / "units.toml").read_text())


@pytest.fixture
def config(units, tmp_path):
    return edge.render(ENV, units, tmp_path / "edge").read_text()


def locations(config):
    """Every location's head and body."""
    return re.findall(r"^        location ([^\n{]+) \{\n(.*?)^        \}", config, re.MULTILINE | re.DOTALL)


def test_nothing_is_left_to_fill_in(config, tmp_path):
    assert "@@" not in config
    for file in (tmp_path / "edge").glob("*.conf"):
        assert "@@" not in file.read_text(), file


def test_nginx_accepts_it(units, tmp_path):
    if not NGINX:
        pytest.skip("nginx is not installed")
    tls = tmp_path / "tls"
    tls.mkdir()
    make = [
        "openssl",
        "req",
        "-x509",
        "-newkey",
        "rsa:2048",
        "-nodes",
        "-subj",
        "/CN=localhost",
        "-days",
        "2",
    ]
    subprocess.run(
        [*make, "-keyout", tls / "server.key", "-out", tls / "server.crt"], check=True, capture_output=True
    )
    out = tmp_path / "edge"
    path = edge.render(ENV | {"TONGBAN_TLS": str(tls)}, units, out)
    ended = subprocess.run([NGINX, "-t", "-p", out, "-c", path], capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    assert "warn" not in ended.stderr


def test_headers_of_clients_do_not_pass_unless_listed(config):  # check 17
    assert config.count("proxy_pass_request_headers off;") == 1
    passing = [head for head, body in locations(config) if "proxy_pass_request_headers on;" in body]
    assert passing == ["/"]  # legacy systems, which get identity headers from the edge alone


def test_every_page_asks_for_the_session(config, units):
    heads = dict(locations(config.partition("Legacy systems")[0]))
    for name, unit in units.items():
        if unit.get("pages"):
            assert "auth_request /_session;" in heads[unit["path"]], name
    assert "auth_request /_session_now;" in heads["/administration"]
    open_ones = {head for head, body in heads.items() if "_pages;" in body and "auth_request" not in body}
    assert open_ones == set(edge.PUBLIC_PAGES) | {
        f"^~ /{name}/static/" for name in ("documents", "meetings", "tasks", "knowledge", "audit")
    }


def test_token_goes_to_pages_only(tmp_path, config):
    assert 'Authorization "Bearer $token"' in (tmp_path / "edge" / "pages.conf").read_text()
    for name in ("client_headers.conf", "ask.conf", "keycloak.conf"):
        assert "$token" not in (tmp_path / "edge" / name).read_text()


def test_no_header_is_set_twice(config, tmp_path):
    """nginx would send both."""
    for head, body in locations(config):
        text = body
        for _ in range(3):
            text = re.sub(r"include (\S+);", lambda found: Path(found[1]).read_text(), text)
        names = re.findall(r"proxy_set_header (\S+)", text)
        assert len(names) == len({name.lower() for name in names}), head


def test_identity_headers_are_cut_for_legacy_systems(tmp_path, config):  # check 17
    text = (tmp_path / "edge" / "no_identity.conf").read_text()
    assert all(line.endswith(' "";') for line in text.splitlines() if line.startswith("proxy_set_header"))
    for name in (
        "X-Remote-User",
        "X-Forwarded-User",
        "X-User",
        "X-Tongban-Token",
        "X-Original-URL",
        "Forwarded",
    ):
        assert f"proxy_set_header {name} " in text


def test_answers_about_sessions_are_cached_for_reading_only(config):
    heads = dict(locations(config))
    assert "proxy_no_cache $ask_again" in heads["= /_session"]
    assert "proxy_cache_key $session_key" in heads["= /_session"]
    assert "proxy_cache" not in heads["= /_session_now"]


def test_log_holds_no_query_cookie_or_token(config):
    form = re.search(r"log_format.*?;", config, re.DOTALL)[0]
    for name in (
        "$request_uri",
        "$request ",
        "$args",
        "$query_string",
        "$http_cookie",
        "$http_authorization",
        "$token",
        "$http_referer",
        "$csrf",
    ):
        assert name not in form


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PUBLIC_URL", ""),
        ("PUBLIC_URL", "https://x;}"),
        ("APPS_DOMAIN", "x y"),
        ("HTTP_PORTAL", "127.0.0.1"),
        ("STREAM", "127.0.0.1:1;"),
        ("REALM", "a b"),
        ("STATIC_VENDOR", "/x/$y"),
        ("BIND", "127.0.0.1;"),
    ],
)
def test_bad_settings_are_named(units, tmp_path, name, value):
    with pytest.raises(edge.BadSetting) as refused:
        edge.render(ENV | {f"TONGBAN_{name}": value}, units, tmp_path / "edge")
    assert str(refused.value)


def test_folder_with_odd_name_is_refused(units, tmp_path):
    with pytest.raises(edge.BadSetting):
        edge.render(ENV, units, tmp_path / "a b")


@pytest.fixture
def memory(monkeypatch, tmp_path):
    """A place in memory where everybody may write."""
    folder = tmp_path / "memory"
    folder.mkdir(mode=0o777)
    monkeypatch.setattr(edge, "MEMORY", folder)
    return folder


def test_the_answers_about_sessions_lie_in_memory_for_nobody_else_and_go_with_the_edge(
    memory, units, tmp_path
):
    config = edge.render(ENV, units, tmp_path / "edge").read_text()
    (folder,) = memory.iterdir()
    assert f"proxy_cache_path {folder} " in config
    assert folder.stat().st_mode & 0o777 == 0o700
    # The next start of the same edge takes it again.
    (folder / "answer").write_text("x")
    assert f"proxy_cache_path {folder} " in edge.render(ENV, units, tmp_path / "edge").read_text()
    edge.forget(tmp_path / "edge")
    edge.forget(tmp_path / "edge")
    assert list(memory.iterdir()) == []


def linked(folder, elsewhere):
    elsewhere.mkdir(mode=0o700)
    folder.symlink_to(elsewhere)


def opened(folder, _elsewhere):
    folder.mkdir()
    folder.chmod(0o750)


def filed(folder, _elsewhere):
    folder.write_text("")


@pytest.mark.parametrize("taken", [linked, opened, filed])
def test_a_folder_that_somebody_else_made_is_not_used(memory, units, tmp_path, taken):
    edge.render(ENV, units, tmp_path / "edge")
    (folder,) = memory.iterdir()
    folder.rmdir()
    taken(folder, tmp_path / "elsewhere")
    config = edge.render(ENV, units, tmp_path / "edge").read_text()
    assert f"proxy_cache_path {tmp_path / 'edge' / 'sessions'} " in config
    edge.forget(tmp_path / "edge")
    assert folder.exists()


def test_a_folder_of_another_user_is_not_used(memory, units, tmp_path, monkeypatch):
    other = os.getuid() + 1
    monkeypatch.setattr(edge.os, "getuid", lambda: other)
    config = edge.render(ENV, units, tmp_path / "edge").read_text()
    assert [one.is_dir() for one in memory.iterdir()] == [True]
    assert f"proxy_cache_path {tmp_path / 'edge' / 'sessions'} " in config


def test_who_somebody_is_stands_in_the_token_alone(config, tmp_path):
    """The person's id is for the edge's own log line; no header hands it on, nobody's own one passes."""
    said = re.findall(
        r"proxy_set_header X-Tongban-Person ([^;]+);",
        config + "".join(path.read_text() for path in (tmp_path / "edge").glob("*.conf")),
    )
    assert set(said) == {'""'}
    assert '"person":"$person"' in config
