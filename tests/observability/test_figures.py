"""The figures of the running platform: every process has them, nobody outside gets them, their labels stay few."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from chassis import metrics
from deploy.local import units
from deploy.local.cache import ROOT
from deploy.local.ports import processes

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(120)]
# What no label may hold: ids of people, records, requests; addresses with something in them.
ID = re.compile(r"[0-9a-f]{16,}|[0-9a-f]{8}-[0-9a-f]{4}|\d{4,}|\?|@|%")


def test_every_process_of_every_unit_has_figures(scraped):
    found = scraped
    wanted = {
        f"{unit.name}-{process}"
        for unit in units.load(ROOT)
        if unit.exists(ROOT)
        for process in processes(unit)
    }
    assert len(wanted) > 15
    assert wanted <= set(found)
    for name in wanted:
        assert found[name]["tongban_ready"][0].value == 1, name
        assert found[name]["process_resident_memory_bytes"][0].value > 1 << 20, name
        assert found[name]["process_open_fds"][0].value > 3, name
    print(f"{len(wanted)} processes, {sum(len(one) for one in found.values())} names of figures")


def test_labels_take_few_values(scraped):
    series, widest = 0, 0
    for name, samples in scraped.items():
        if name == "keycloak-engine":
            continue
        for metric, found in samples.items():
            if not metric.startswith("tongban_"):
                continue
            series += len(found)
            widest = max(widest, len(found))
            assert len(found) <= metrics.MOST * (len(metrics.BUCKETS) + 1), (name, metric)
            for sample in found:
                wrong = {
                    key: value for key, value in sample.labels.items() if key != "le" and ID.search(value)
                }
                assert not wrong, (name, metric, wrong)
    # A dozen kinds of figures at each of the processes, at the least.
    assert series > 100
    assert widest > 1
    print(f"{series} series of the platform's own, at most {widest} of one metric")


def test_strangers_cannot_make_labels(running, stranger):
    """Paths, methods and ids that a client invents do not become names of figures."""
    for number in range(8):
        stranger.get(f"/api/v1/invented-{number:08x}")
        stranger.ask(f"INVENT{number}", f"/api/v1/documents/outgoing/{number:032x}")
        stranger.get(f"/auth/invented-{number:08x}")
    found = running.scrape("gateway-web")
    labels = {
        value for samples in found["gateway-web"]["tongban_rest_total"] for value in samples.labels.values()
    }
    assert labels, "the gateway counts its requests"
    assert not [one for one in labels if "invent" in one.lower()]


def test_no_figures_through_the_edge(running, stranger, administrator):
    """Neither for strangers nor for the system administrator, by no path and no host; the edge knows none of the ports."""
    paths = [
        "/metrics",
        "/status",
        "/gateway/metrics",
        "/api/metrics",
        "/api/v1/metrics",
        "/auth/metrics",
        "/stream/metrics",
    ]
    paths += [f"{unit.path}metrics" for unit in units.load(ROOT) if unit.path]
    paths += [
        "/id/metrics",
        "/id/realms/tongban/metrics",
        "/id/realms/master/metrics",
        "/_apps/x/metrics",
        "/%2fmetrics",
        "/%6detrics",
    ]
    for path in paths:
        for browser in (stranger, administrator):
            answer = browser.get(path)
            assert "# TYPE" not in answer.text, path
            assert "tongban_" not in answer.text.replace("tongban_csrf", ""), path
            assert answer.status_code in (301, 302, 303, 401, 403, 404, 421), (path, answer.status_code)
    configuration = (running.var / "edge" / "nginx.conf").read_text()
    ports = [address.rpartition(":")[2] for target in running.targets() for address in target["targets"]]
    assert len(ports) > 15
    assert not [port for port in ports if f":{port}" in configuration]
    status = running.env["TONGBAN_EDGE_STATUS"]
    assert configuration.count(status) == 1
    assert status.startswith("127.0.0.1:")
    print(f"{len(paths)} paths for two people, 0 figures; {len(ports)} ports, 0 in the edge's configuration")


def test_the_list_of_targets_is_that_of_the_units(running):
    """A new service is a new table in units.toml and nothing else: also here."""
    labels = [target["labels"] for target in running.targets()]
    assert {one["unit"] for one in labels} - {"keycloak"} <= {unit.name for unit in units.load(ROOT)}
    for folder in ("chassis", "portal/system", "deploy/observability"):
        text = "".join(path.read_text() for path in Path(ROOT / folder).glob("*.py"))
        assert not re.search(r'"(?:documents|tasks|meetings|knowledge)-(?:work|serve)"', text), folder
