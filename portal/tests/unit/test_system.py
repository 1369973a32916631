"""What the page of the system's state says of facts: good, bad and unknown, each with a sentence and a runbook."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta

import pytest
from tongban.portal.v1 import administration_pb2 as pb

from portal.system import judging, processes, reading
from portal.system.facts import Backup, Broker, Consumer, Engine, Facts, Process
from portal.system.runbooks import RUNBOOKS
from portal.system.state import state

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
WELL = {
    "tongban_ready": 1.0, "tongban_outbox_waiting": 0.0, "tongban_outbox_oldest_seconds": 0.0, "tongban_index_ready": 1.0,
    "tongban_index_entries": 7.0, "tongban_index_age_seconds": 5.0, "process_resident_memory_bytes": 1e8,
}  # fmt: skip


def worker(**changed):
    figures = {name: value for name, value in {**WELL, **changed}.items() if value is not None}
    return Process("papers", "文件", "work", figures, since=NOW)


def facts(**changed):
    usual = {
        "processes": (worker(),),
        "engines": tuple(Engine(name, up=True, version="1") for name in judging.ENGINES),
        "broker": Broker("2", {"S": 1}, {"S": 10}, 0, (Consumer("papers-in", "收取", 0, 0, 0, 9),)),
        "disk_free": 50, "disk_size": 100, "backup": Backup(NOW - timedelta(hours=2), 5, NOW, ("/b/x",)),
        "certificate_ends": NOW + timedelta(days=100), "unit_names": {"papers": "文件"},
    }  # fmt: skip
    return Facts(time=NOW, **{**usual, **changed})


def findings(message, path=""):
    """Every finding of an answer, wherever it stands."""
    for field, value in message.ListFields():
        for one in value if field.is_repeated else [value]:
            if isinstance(one, pb.Finding):
                yield f"{path}{field.name}", one
            elif field.message_type is not None and field.message_type.file.package.startswith("tongban"):
                yield from findings(one, f"{field.name}.")


def wrong(**changed):
    return {
        place: one.tone
        for place, one in findings(state(facts(**changed)))
        if one.tone != "good" and place != "overall"
    }


def test_when_all_is_well_one_sentence_says_so():
    told = state(facts())
    assert wrong() == {}
    assert (told.overall.tone, told.overall.sentence) == ("good", "平台各部分运行正常。")
    assert told.processes[0].unit_name == "文件"
    assert told.consumers[0].name == "收取"
    assert told.indexes[0].entries == 7


late = Consumer("papers-in", "收取", 3, 1, 0, 9, oldest=NOW - timedelta(minutes=3))
fresh = Consumer("papers-in", "收取", 3, 1, 0, 9, oldest=NOW - timedelta(seconds=30))


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({"processes": (Process("papers", "文件", "work", None, "pausing"),)}, {"processes.finding": "bad", "outboxes.finding": "unknown"}),
        ({"processes": (Process("papers", "文件", "pages", None, "starting"),)}, {"processes.finding": "warn"}),
        ({"processes": (worker(tongban_ready=0.0),)}, {"processes.finding": "warn"}),
        ({"processes": (Process("papers", "文件", "pages", WELL, restarts=3),)}, {"processes.finding": "warn"}),
        ({"processes": (worker(tongban_outbox_waiting=2.0, tongban_outbox_oldest_seconds=61.0),)}, {"outboxes.finding": "bad"}),
        ({"processes": (worker(tongban_outbox_waiting=2.0, tongban_outbox_oldest_seconds=9.0),)}, {}),
        ({"processes": (worker(tongban_outbox_waiting=None),)}, {"outboxes.finding": "unknown"}),
        ({"processes": (worker(tongban_index_ready=0.0, tongban_index_entries=None),)}, {"indexes.finding": "bad"}),
        ({"engines": (Engine("mongo", up=False, state="pausing"),)}, {"engines.finding": "bad"}),
        ({"engines": (Engine("keycloak", up=None),)}, {"engines.finding": "unknown"}),
        ({"broker": None}, {"broker": "unknown", "dead_letters.finding": "unknown"}),
        ({"broker": Broker("2", {"S": 9}, {"S": 10}, 0, ())}, {"broker": "warn"}),
        ({"broker": Broker("2", {}, {}, 4, ())}, {"dead_letters.finding": "bad"}),
        ({"broker": Broker("2", {}, {}, 0, (late,))}, {"consumers.finding": "bad"}),
        ({"broker": Broker("2", {}, {}, 0, (fresh,))}, {}),
        ({"disk_free": 9}, {"disk.finding": "bad"}),
        ({"disk_free": 19}, {"disk.finding": "warn"}),
        ({"disk_free": None}, {"disk.finding": "unknown"}),
        ({"backup": None}, {"backup.finding": "bad"}),
        ({"backup": Backup(NOW - timedelta(hours=25, minutes=59), 5, NOW, ("/b/x",))}, {}),
        ({"backup": Backup(NOW - timedelta(hours=26, seconds=1), 5, NOW, ("/b/x",))}, {"backup.finding": "bad"}),
        ({"backup": Backup(NOW, 5, NOW, ("/b/x",), ("/b/x",))}, {"backup.finding": "bad"}),
        ({"certificate_ends": NOW - timedelta(seconds=1)}, {"certificate.finding": "bad"}),
        ({"certificate_ends": NOW + timedelta(days=13)}, {"certificate.finding": "warn"}),
        ({"certificate_ends": None}, {"certificate.finding": "unknown"}),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said_where_it_is(changed, expected):
    """# check 69: the alarm at 26 hours, among them."""
    assert wrong(**changed) == expected
    told = state(facts(**changed))
    bad = sum(tone == "bad" for tone in expected.values())
    assert told.overall.tone == ("bad" if bad else "warn" if expected else "good")
    for place, one in findings(told):
        if one.tone != "good" and place != "overall":
            assert one.sentence.endswith("。"), place
            assert one.action.endswith("。"), place
            assert one.runbook in RUNBOOKS, place
            words = re.sub(r"tls|logs", "", one.sentence + one.action)
            assert not re.search(r"[A-Za-z]{2,}", words), words


def test_what_cannot_be_read_is_unknown(tmp_path, monkeypatch):
    monkeypatch.delenv("TONGBAN_TARGETS", raising=False)
    assert processes.ask_all(tmp_path) == ()
    (tmp_path / "processes.json").write_text("{half")
    assert processes.report(tmp_path) == {}
    (tmp_path / "targets.json").write_text("nothing")
    monkeypatch.setenv("TONGBAN_TARGETS", str(tmp_path / "targets.json"))
    assert processes.targets() == []
    assert reading.backup(tmp_path) is None
    (tmp_path / "backup.json").write_text('{"cut": "yesterday"}')
    assert reading.backup(tmp_path) is None
    assert reading.disk(tmp_path / "nowhere") == (None, 0)
    monkeypatch.setenv("TONGBAN_TLS", str(tmp_path))
    assert reading.certificate_ends() is None


def test_a_silent_process_is_told_with_what_the_supervisor_knows(tmp_path, monkeypatch):
    listed = [
        {"targets": ["127.0.0.1:9"], "labels": {"unit": "papers", "process": "work", "__title": "文件"}}
    ]
    (tmp_path / "targets.json").write_text(json.dumps(listed))
    monkeypatch.setenv("TONGBAN_TARGETS", str(tmp_path / "targets.json"))
    said = {
        "state": "pausing",
        "pid": None,
        "since": NOW.isoformat(),
        "restarts": 2,
        "reason": 'status 0: {"event": "stopped", "level": "info"}',
    }
    (tmp_path / "processes.json").write_text(json.dumps({"papers-work": said}))
    (found,) = processes.ask_all(tmp_path)
    assert (found.figures, found.state, found.restarts, found.since) == (None, "pausing", 2, NOW)
    assert found.reason == "status 0: stopped"
    assert "即将自动重启" in judging.process(found).sentence


def test_the_note_of_a_real_backup_is_read(tmp_path):
    from deploy.backup import keeping

    archive, also = tmp_path / "a.tbk", tmp_path / "second"
    archive.write_bytes(b"archive")
    keeping.note(tmp_path, archive, also, NOW, 3.0)
    last = reading.backup(tmp_path)
    assert (last.time, last.size, last.places, last.lost) == (
        NOW, 7, (str(archive), str(also / "a.tbk")), (str(also / "a.tbk"),),
    )  # fmt: skip
    assert last.verified is not None


def test_with_everything_away_the_page_still_answers(tmp_path, monkeypatch):
    """Nothing listens at any of these addresses: each is told as bad or unknown, and none raises."""
    from chassis.parts import Parts
    from chassis.tests.helpers import settings

    nobody = "127.0.0.1:9"
    for name in ("NATS_MONITOR", "KEYCLOAK_MANAGEMENT"):
        monkeypatch.setenv(f"TONGBAN_{name}", f"http://{nobody}")
    monkeypatch.setenv("TONGBAN_EDGE_STATUS", nobody)
    monkeypatch.setenv("TONGBAN_TLS", str(tmp_path))
    listed = [
        {"targets": [nobody], "labels": {"unit": "papers", "process": process, "__title": "文件"}}
        for process in ("serve", "work", "pages")
    ]
    (tmp_path / "targets.json").write_text(json.dumps(listed))
    monkeypatch.setenv("TONGBAN_TARGETS", str(tmp_path / "targets.json"))
    parts = Parts(settings(tmp_path, mongo_uri=f"mongodb://{nobody}", nats_url=f"nats://{nobody}"))
    told = state(reading.read(parts))
    parts.close()
    assert {one.engine: one.finding.tone for one in told.engines} == dict.fromkeys(judging.ENGINES, "bad")
    assert [one.finding.tone for one in told.processes] == ["bad"] * 3
    assert (told.broker.tone, told.dead_letters.finding.tone) == ("unknown", "unknown")
    assert [one.finding.tone for one in told.outboxes] == ["unknown"]
    assert (told.backup.finding.tone, told.certificate.finding.tone) == ("bad", "unknown")
    assert told.overall.sentence.startswith("有 ")
