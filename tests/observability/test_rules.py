"""Alerts and dashboards speak of figures that there are, and every alert has its runbook, for the person on call and for the page.

promtool is not used: built by Go it takes minutes (docs/adr/0018), so the rules are read here.
"""

from __future__ import annotations

import json
import re

import pytest
import yaml
from tongban.events.v1 import document_pb2, meeting_pb2, obligation_pb2

from chassis.outbox import event_type, subject
from deploy.local.cache import ROOT
from portal.system import judging
from portal.system.runbooks import RUNBOOKS

FOLDER = ROOT / "deploy" / "observability"
ALERTS = [
    rule for group in yaml.safe_load((FOLDER / "alerts.yml").read_text())["groups"] for rule in group["rules"]
]
BOARDS = {path.stem: json.loads(path.read_text()) for path in sorted((FOLDER / "dashboards").glob("*.json"))}
# Prometheus makes these itself.
ITS_OWN = {"up", "ALERTS"}
WORDS = {"by", "on", "and", "or", "unless", "ignoring", "without", "bool"}
TARGET_LABELS = {"unit", "process", "instance", "job", "le", "alertstate"}
OPERATIONS = (ROOT / "docs" / "operations.md").read_text()


def expressions():
    """(where, expression) of every rule and every panel."""
    found = [(f"alert {rule['alert']}", rule["expr"]) for rule in ALERTS]
    for name, board in BOARDS.items():
        found += [
            (f"{name}: {one['title']}", target["expr"])
            for one in board["panels"]
            for target in one["targets"]
        ]
    return found


def names(expression):
    """The names of metrics in an expression: what is no function, no word and stands in no braces."""
    bare = re.sub(r"\{[^}]*\}|\[[^\]]*\]|\"[^\"]*\"", " ", expression)
    bare = re.sub(r"\b(?:by|on|ignoring|without)\s*\([^)]*\)", " ", bare)
    found = re.findall(r"\b([a-zA-Z_:][a-zA-Z0-9_:]*)\b(?!\s*\()", bare)
    return {name for name in found if name not in WORDS and not re.fullmatch(r"e\d+", name)}


def labels(expression):
    """The labels by which an expression asks or groups."""
    asked = [
        re.findall(r"(\w+)\s*(?:=~|!~|!=|=)", inside) for inside in re.findall(r"\{([^}]*)\}", expression)
    ]
    grouped = [re.findall(r"\w+", inside) for inside in re.findall(r"\b(?:by|on)\s*\(([^)]*)\)", expression)]
    return {label for part in [*asked, *grouped] for label in part}


@pytest.mark.e2e
def test_every_figure_in_a_rule_or_on_a_dashboard_is_there(scraped):
    there = {name for samples in scraped.values() for name in samples}
    known = {
        label
        for samples in scraped.values()
        for found in samples.values()
        for one in found
        for label in one.labels
    }
    asked = 0
    for where, expression in expressions():
        used = names(expression)
        asked += len(used)
        assert used, where
        assert used - ITS_OWN <= there, (where, used - ITS_OWN - there)
        assert labels(expression) <= known | TARGET_LABELS, (where, labels(expression) - known)
    print(
        f"{len(ALERTS)} alerts, {len(BOARDS)} dashboards: {len(expressions())} expressions, {asked} figures, all there"
    )


@pytest.mark.e2e
def test_every_figure_of_the_platforms_own_is_on_a_dashboard_or_in_a_rule(scraped):
    """A figure at which nobody looks is a cost without a use."""
    used = {re.sub(r"_(?:bucket|sum|count)$", "", name) for _, one in expressions() for name in names(one)}
    there = {
        re.sub(r"_(?:bucket|sum|count)$", "", name)
        for samples in scraped.values() for name in samples if name.startswith("tongban_")
    }  # fmt: skip
    assert there - used == set()


def test_every_alert_has_its_runbook_and_every_runbook_its_alert():
    alerts = [rule["alert"] for rule in ALERTS]
    assert len(set(alerts)) == len(alerts)
    chapter = OPERATIONS.partition("\n## Alerts")[2].partition("\n## ")[0]
    sections = dict(re.findall(r"^### (\w+)\n(.*?)(?=^### |\Z)", chapter, re.MULTILINE | re.DOTALL))
    assert list(sections) == alerts == list(RUNBOOKS)
    for name, text in sections.items():
        for part in ("**Means.**", "**See.**", "**Do.**"):
            assert part in text, (name, part)
        assert re.search(
            r"`[^`]*(?:make|python3|curl|tail|grep|kill|ls|df|openssl|/administration)[^`]*`", text
        ), f"{name}: no command"
    for rule in ALERTS:
        assert rule["annotations"]["runbook"] == f"docs/operations.md#{rule['alert'].lower()}"
        assert rule["labels"]["severity"] in ("page", "ticket")
        assert rule["annotations"]["summary"]


def test_what_the_page_calls_bad_and_what_wakes_somebody_have_one_limit():
    by_name = {rule["alert"]: rule["expr"] for rule in ALERTS}
    assert f"> {judging.OUTBOX:.0f} " in by_name["OutboxWaiting"]
    assert f"> {judging.BACKUP.total_seconds() / 3600:.0f} * 3600" in by_name["BackupOverdue"]
    assert f"< {judging.CERTIFICATE.days} * 86400" in by_name["CertificateEnding"]
    assert f"< {judging.VERY_LITTLE}" in by_name["DiskSpace"]
    assert f">= {judging.RESTARTS}" in by_name["ProcessRestarting"]


def test_expressions_are_well_formed():
    for where, expression in expressions():
        for opening, closing in ("()", "{}", "[]"):
            assert expression.count(opening) == expression.count(closing), where
        assert expression.count('"') % 2 == 0, where
        for duration in re.findall(r"\[([^\]]*)\]", expression):
            assert re.fullmatch(r"\d+[smhd](?::\d+[smhd])?", duration), (where, duration)


def test_dashboards_ask_for_events_that_there_are():
    kinds = {
        event_type(subject("x", name))
        for proto in (document_pb2, meeting_pb2, obligation_pb2)
        for name in proto.DESCRIPTOR.message_types_by_name
        if name not in ("CourseEntry", "ArchivedFile")
    }
    asked = {kind for _, one in expressions() for kind in re.findall(r'event="([^"]*)"', one)}
    assert asked
    assert asked <= kinds, asked - kinds


def test_dashboards_are_what_grafana_takes():
    for name, board in BOARDS.items():
        assert board["uid"] == f"tongban-{name}"
        assert board["schemaVersion"] >= 36
        places = [tuple(panel["gridPos"].items()) for panel in board["panels"]]
        assert len(set(places)) == len(places)
        assert len({panel["id"] for panel in board["panels"]}) == len(board["panels"])
