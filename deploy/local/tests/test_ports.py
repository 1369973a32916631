import socket
from pathlib import Path

import pytest

from deploy.local import units
from deploy.local.cache import ROOT
from deploy.local.ports import BLOCK, LOOPBACK, Ports, free_block, is_taken
from deploy.local.say import Refusal
from deploy.local.settings import Settings


def _settings(base, edge=None):
    return Settings(var=Path("unused"), base_port=base, edge_port=edge or base + BLOCK - 1)


def _listening(port):
    return socket.create_server((LOOPBACK, port))


def _refusal(base):
    with pytest.raises(Refusal) as refusal:
        Ports(_settings(base)).check_free((), edge=True)
    return str(refusal.value)


def test_no_two_servers_share_a_port_and_all_fit_into_a_block():
    listening = Ports(_settings(17000)).listening(units.load(ROOT))
    assert len(set(listening.values())) == len(listening)
    assert max(listening.values()) < 17000 + BLOCK - 1


def test_a_taken_port_is_named_with_its_owner_and_its_setting():
    with free_block() as base, _listening(base):
        said = _refusal(base)
    assert said.startswith(f"Port {base} (for mongo) is taken")
    assert "TONGBAN_BASE_PORT" in said


def test_a_taken_edge_port_names_its_own_setting():
    with free_block() as base, _listening(base + BLOCK - 1):
        said = _refusal(base)
    assert said.startswith(f"Port {base + BLOCK - 1} (for HTTPS) is taken")
    assert "TONGBAN_EDGE_PORT" in said


def test_a_port_with_only_closed_connections_is_free():
    with free_block() as base:
        with _listening(base) as server, socket.create_connection((LOOPBACK, base)):
            server.accept()[0].close()
        assert not is_taken(LOOPBACK, base)


def test_two_tests_at_once_get_different_blocks():
    with free_block() as one, free_block() as other:
        assert abs(one - other) >= BLOCK


def test_a_foreign_address_to_bind_is_one_sentence():
    with pytest.raises(Refusal, match="correct TONGBAN_BIND"):
        is_taken("192.0.2.1", 8443)
