import json
import socket
from dataclasses import replace
from pathlib import Path

import pytest

from deploy.local import targets, units
from deploy.local.cache import ROOT
from deploy.local.ports import BLOCK, LOOPBACK, Ports, free_block, is_taken, processes
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


def test_every_process_of_a_kind_has_a_port_for_its_figures(monkeypatch):
    monkeypatch.setenv("TONGBAN_WEB_WORKERS", "10")
    ports, found = Ports(_settings(17000)), []
    for unit in units.load(ROOT):
        for process, count in processes(unit).items():
            assert len(ports.metrics(unit, process)) >= count
            found += ports.metrics(unit, process)
    assert len(set(found)) == len(found)
    # Twelve units fit into a block.
    assert ports.metrics(replace(units.load(ROOT)[0], index=11), "web")[-1] < 17000 + BLOCK - 1
    monkeypatch.setenv("TONGBAN_WEB_WORKERS", "11")
    with pytest.raises(Refusal, match="at most 10 processes"):
        processes(units.load(ROOT)[0])


def test_the_list_of_targets_names_each_process_once(tmp_path):
    settings = replace(_settings(17000), var=tmp_path)
    targets.write(settings, units.load(ROOT))
    listed = json.loads((tmp_path / "prometheus" / "targets.json").read_text())
    addresses = [one for entry in listed for one in entry["targets"]]
    assert len(set(addresses)) == len(addresses) > 15
    assert {"unit": "documents", "process": "work", "__title": "公文"} in [
        entry["labels"] for entry in listed
    ]
    assert (tmp_path / "prometheus" / "alerts.yml").is_file()
    assert (tmp_path / "prometheus" / "prometheus.yml").is_file()


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
