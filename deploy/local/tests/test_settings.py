import argparse

import pytest

from deploy.local.cache import ROOT
from deploy.local.say import Refusal
from deploy.local.settings import add_arguments, from_arguments


def _settings(environ, *flags):
    parser = argparse.ArgumentParser()
    add_arguments(parser)
    return from_arguments(parser.parse_args(flags), environ)


def test_defaults():
    settings = _settings({})
    assert settings.var == ROOT / "var" / "run"
    assert (settings.base_port, settings.bind, settings.demo) == (17000, "127.0.0.1", True)
    assert settings.public_url == "https://localhost:8443"
    assert settings.apps_domain == "apps.localhost:8443"


def test_a_flag_wins_over_the_environment():
    environ = {"TONGBAN_BASE_PORT": "18000", "TONGBAN_EDGE_PORT": "9443", "TONGBAN_NO_DEMO": "1"}
    settings = _settings(environ, "--base-port", "19000")
    assert (settings.base_port, settings.edge_port, settings.demo) == (19000, 9443, False)


def test_the_standard_port_is_not_written_into_addresses():
    assert _settings({}, "--edge-port", "443").public_url == "https://localhost"


@pytest.mark.parametrize("text", ["abc", "0", "70000", "-1"])
def test_what_is_no_port_is_refused_with_the_setting(text):
    with pytest.raises(Refusal, match=r"^TONGBAN_EDGE_PORT .*\.$"):
        _settings({"TONGBAN_EDGE_PORT": text})
