from deploy.local import env, units
from deploy.local.cache import ROOT, tools
from deploy.local.settings import Settings


def _platform(tmp_path):
    settings = Settings(var=tmp_path, base_port=17000)
    listed = units.load(ROOT)
    return settings, {unit.name: unit for unit in listed}, env.shared(settings, tools(), listed)


def test_every_service_knows_every_services_address(tmp_path):
    _, listed, platform = _platform(tmp_path)
    for unit in listed.values():
        assert (f"TONGBAN_GRPC_{unit.name.upper()}" in platform) == bool(unit.grpc)
        assert (f"TONGBAN_HTTP_{unit.name.upper()}" in platform) == unit.http
    assert platform["TONGBAN_STREAM"].startswith("127.0.0.1:")
    assert platform["TONGBAN_PUBLIC_URL"] == "https://localhost:8443"


def test_a_process_gets_the_address_it_listens_on(tmp_path):
    settings, listed, platform = _platform(tmp_path)
    serve = env.for_process(settings, platform, listed["documents"], "serve")
    assert serve["TONGBAN_GRPC"] == platform["TONGBAN_GRPC_DOCUMENTS"]
    assert (serve["TONGBAN_SERVICE"], serve["TONGBAN_PROCESS"]) == ("documents", "serve")
    assert "TONGBAN_HTTP" not in serve
    pages = env.for_process(settings, platform, listed["documents"], "pages")
    assert pages["TONGBAN_HTTP"] == platform["TONGBAN_HTTP_DOCUMENTS"]
    stream = env.for_process(settings, platform, listed["gateway"], "stream")
    assert stream["TONGBAN_HTTP"] == platform["TONGBAN_STREAM"] != platform["TONGBAN_HTTP_GATEWAY"]
    site = env.for_process(settings, platform, listed["oldsite"], "site")
    assert platform["TONGBAN_HTTP_OLDSITE"].endswith(f":{site['TONGBAN_PORT']}")


def test_the_operators_shell_does_not_change_how_we_run(monkeypatch):
    monkeypatch.setenv("PYTHONPATH", "/somewhere")
    monkeypatch.setenv("TONGBAN_MONGO_URI", "mongodb://elsewhere")
    monkeypatch.setenv("KC_DB", "postgres")
    monkeypatch.setenv("http_proxy", "http://proxy.example")
    kept = env.inherited()
    assert not {"PYTHONPATH", "TONGBAN_MONGO_URI", "KC_DB"} & set(kept)
    assert "127.0.0.1" in kept["no_proxy"]


def test_the_operators_own_limits_reach_the_application():
    environ = {"TONGBAN_IDLE_MINUTES": "5", "TONGBAN_MONGO_URI": "mongodb://elsewhere", "TONGBAN_CACHE": "/c"}
    assert env.operator_settings({"TONGBAN_MONGO_URI": "ours"}, environ) == {"TONGBAN_IDLE_MINUTES": "5"}
