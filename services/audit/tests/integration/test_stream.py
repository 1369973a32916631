"""From the door to the chain on a real broker; and what nobody with the platform's own password can do to what is on record."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import threading
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import nats
import pytest
from nats.errors import Error as NatsError
from nats.js.api import DeliverPolicy, StreamConfig
from tongban.audit.v1 import audit_pb2 as pb

from chassis import context
from chassis.audit import Audit
from chassis.errors import Forbidden, NotFound, Unavailable
from chassis.identity_types import Principal
from chassis.loops import end_all
from chassis.parts import Parts
from chassis.settings import Settings
from chassis.streams import AUDIT
from deploy.local.stack import Stack
from services.audit import commands, parts, signing, verbs, witness
from services.audit.__main__ import SERVICE
from services.audit.events import SECRET
from services.audit.model.chain import read, record_of
from services.audit.repository import Chain
from tests.inprocess import InProcess, audit_settings, directory_of, eventually, make_audit_stream, token

pytestmark = [pytest.mark.integration, pytest.mark.timeout(120)]
AUDITOR = token("auditor-1", roles=("auditor",))
OTHERS = {
    "system_administrator": token("s", roles=("system_administrator",)),
    "security_administrator": token("c", roles=("security_administrator",)),
    "leader": token("l", "fgw:leader", "fgw:registrar", "fgw:head", clearance=3),
    "nobody": token("n"),
}
UNITS = [("fgw", "区发展和改革局", "", "organisation")]


class Auditing(InProcess):
    """The audit in the test's own process, writer and all."""

    def __init__(self, engines, var):
        super().__init__(
            SERVICE, engines["mongo"], engines["nats"], var, directory_of(UNITS, {"p1": ["fgw:leader"]})
        )
        secrets = Path(os.environ.get("TONGBAN_TEST_SECRETS", "/nonexistent"))
        for name in (SECRET, signing.SECRET):
            (var / name).write_text((secrets / name).read_text())
        self.chain = Chain(self.settings.own_var / "chain")

    @contextlib.contextmanager
    def taking(self):
        """`work` for the time of the with-block."""
        with taking(self.parts):
            yield self

    def kept(self, **wanted):
        """The records of the chain that have these values."""
        records = [record_of(raw) for raw, _ in self.chain.lines()]
        return [one for one in records if all(one.get(name) == value for name, value in wanted.items())]


@contextlib.contextmanager
def taking(given):
    """The chain's writer, in a thread."""
    loop, ended = asyncio.new_event_loop(), []

    async def run():
        job = asyncio.create_task(parts.take(given))
        ended.append(job)
        with contextlib.suppress(asyncio.CancelledError):
            await job

    worker = threading.Thread(target=lambda: loop.run_until_complete(run()))
    worker.start()
    try:
        yield
    finally:
        loop.call_soon_threadsafe(lambda: asyncio.ensure_future(end_all(ended)))
        worker.join(20)
        loop.close()


@pytest.fixture
def auditing(engines, tmp_path, monkeypatch):
    monkeypatch.setenv("TONGBAN_AUDIT_CHECKPOINT_SECONDS", "0.2")
    monkeypatch.setenv("TONGBAN_AUDIT_WITNESS", str(tmp_path / "elsewhere"))
    from tongban.audit.v1 import audit_pb2_grpc

    asyncio.run(_afresh(engines["nats"]))
    made = Auditing(engines, tmp_path)
    with made.running(audit_pb2_grpc.AuditServiceStub):
        yield made


async def _afresh(address):
    """Without what earlier tests have put on record: its owner may take the stream away as a whole, and nothing out of it."""
    client = await nats.connect(audit_settings(address).nats_url)
    for name in (AUDIT, "KV_audit_checkpoints"):
        with contextlib.suppress(NatsError):
            await client.jetstream(timeout=5).delete_stream(name)
    await client.close()


def record(auditing, action, result="OK", **more):
    """Put something on record as a call of one person."""
    who = Principal("p1", "张三", posts=("fgw:leader",), session="s1")
    with context.serving(context.Call(principal=who, address="10.1.1.1")):
        auditing.parts.audit.record(action, result, **more)


def test_what_is_recorded_is_chained_found_and_shown_to_the_auditor_alone(auditing):
    with auditing.taking():
        for number in range(30):
            record(auditing, "SignOffDocument", about=f"d{number}", service="documents")
        record(auditing, "GetDocument", "NOT_FOUND", about="d7", service="documents", level=2)
        eventually(lambda: len(auditing.kept(person="p1")) == 31, 20)

        def search(**filters):
            return auditing.call(
                "SearchEntries", pb.SearchEntriesRequest(filter=pb.Filter(**filters)), AUDITOR
            )

        eventually(lambda: search(person="p1").total == 31)
        newest = search(service="documents").entries[0]
        assert (newest.action_label, newest.result_label, newest.level) == (
            "公文：查看发文",
            "不存在或无权查看",
            2,
        )
        assert (newest.person, newest.name, newest.unit, newest.address) == ("p1", "张三", "fgw", "10.1.1.1")
        assert search(object="d7").total == 2
        assert search(words="签发", object="d7").total == 1
        assert search(result="refused", service="documents").total == 1
        first = auditing.call("SearchEntries", pb.SearchEntriesRequest(page_size=20), AUDITOR)
        second = auditing.call(
            "SearchEntries", pb.SearchEntriesRequest(page_size=20, page_token=first.next_page_token), AUDITOR
        )
        numbers = [int(one.entry) for one in (*first.entries, *second.entries)]
        assert numbers == sorted(numbers, reverse=True)
        shown = auditing.call("GetEntry", pb.GetEntryRequest(entry=newest.entry), AUDITOR)
        assert shown.sum == read(auditing.chain.line(int(newest.entry))).sum
        with pytest.raises(NotFound):
            auditing.call("GetEntry", pb.GetEntryRequest(entry="999999"), AUDITOR)
        # That somebody looked is on record, with what was asked for.
        looked = eventually(lambda: auditing.kept(action="SearchEntries", person="auditor-1"))
        assert looked[0]["details"]["asked_person"] == "p1"
        # Nobody else may, and that they tried is on record. # check 21
        for name, who in OTHERS.items():
            for method in ("SearchEntries", "GetEntry", "GetChain", "StartVerification"):
                with pytest.raises(Forbidden):
                    auditing.call(method, getattr(pb, f"{method}Request")(), who)
            assert name
        eventually(lambda: len(auditing.kept(result="NOT_YOUR_ROLE")) == 16)
        # Verified by the button, against checkpoints here and elsewhere. # check 77
        eventually(lambda: auditing.call("GetChain", pb.GetChainRequest(), AUDITOR).checkpoint > 31)
        auditing.call("StartVerification", pb.StartVerificationRequest(request_id="r" * 10), AUDITOR)
        said = eventually(lambda: _verified(auditing))
        assert said.verification.whole
        assert said.verification.checkpoints
        assert not said.lost
        assert not said.silent
        # The witness is told after the checkpoint stands here.
        elsewhere = eventually(lambda: [one.number for one in witness.in_folder() if one.number > 31])
        print(f"check 77: signed checkpoints at the witness up to number {elsewhere[-1]}")


def test_the_order_is_that_of_the_numbers_whatever_the_clocks_say(auditing):
    """# check 61: two processes, one a day behind and one a day ahead, and the chain's own clock between them."""
    day = timedelta(days=1)
    with auditing.taking():
        for number in range(20):
            at = datetime.now(UTC) + (day if number % 2 else -day)
            record(auditing, "SignOffDocument", about=f"c{number}", at_ms=int(at.timestamp() * 1000))
        eventually(lambda: len(auditing.kept(action="SignOffDocument")) == 20, 20)
        assert [one["object"] for one in auditing.kept(action="SignOffDocument")] == [
            f"c{number}" for number in range(20)
        ]

        def found():
            asked = pb.SearchEntriesRequest(filter=pb.Filter(action="SignOffDocument"), page_size=50)
            return auditing.call("SearchEntries", asked, AUDITOR).entries

        newest = eventually(lambda: len(found()) == 20 and found())
        assert [one.object for one in newest] == [f"c{number}" for number in reversed(range(20))]
        head = auditing.chain.head().number
        eventually(lambda: max((one.number for one in auditing.chain.checkpoints()), default=0) >= head)
    assert commands.verify(auditing.chain, parts.signer_of(auditing.parts), []).whole
    print("check 61: 20 records of two clocks, two days apart: chained, listed and verified by their numbers")


def _verified(auditing):
    said = auditing.call("GetChain", pb.GetChainRequest(), AUDITOR)
    return said if said.HasField("verification") and not said.verifying else None


def test_while_the_audit_does_not_take_what_waits_is_lost_nowhere(auditing):
    """# check 79: the chain's writer is away, then an older copy of its folder is put in its place. # check 77"""
    with auditing.taking():
        record(auditing, "Login")
        eventually(lambda: auditing.kept(action="Login"))
        eventually(auditing.chain.checkpoints)
    older = shutil.copytree(auditing.chain.folder, auditing.settings.var / "older")
    for number in range(50):
        record(auditing, "Logout", about=str(number))
    assert auditing.parts.audit.spool.flushed(10)
    assert auditing.kept(action="Logout") == []
    with auditing.taking():
        eventually(lambda: len(auditing.kept(action="Logout")) == 50)
        head = auditing.chain.head().number
        eventually(lambda: auditing.chain.checkpoints()[-1].number >= head)
        # Its own absence is on record.
        eventually(lambda: len(auditing.kept(action="AuditStarted")) == 2)
        assert len(auditing.kept(action="AuditStopped")) == 1
        head = auditing.chain.head().number
        eventually(lambda: max(one.number for one in parts.witnessed(auditing.parts)) >= head)
    report = commands.verify(auditing.chain, parts.signer_of(auditing.parts), parts.witnessed(auditing.parts))
    assert report.whole
    # Older copy: everything in it fits, but the witness knows more.
    shutil.rmtree(auditing.chain.folder)
    older.rename(auditing.chain.folder)
    report = commands.verify(auditing.chain, parts.signer_of(auditing.parts), parts.witnessed(auditing.parts))
    assert [one.kind for one in report.findings] == ["truncated"]
    # It takes in from the stream what it lacks, in the same order; but not at the same time, so the sums stay others for ever.
    with auditing.taking():
        eventually(lambda: len(auditing.kept(action="Logout")) == 50)
        eventually(lambda: auditing.chain.checkpoints()[-1].number > head)
    report = commands.verify(auditing.chain, parts.signer_of(auditing.parts), parts.witnessed(auditing.parts))
    assert "checkpoint" in {one.kind for one in report.findings}
    print(
        "check 79: 50 records while the writer was away: 50 chained, none twice; check 77: an older copy is found out, also later"
    )


def test_security_operations_wait_for_the_audit_and_nothing_else_does(auditing, monkeypatch):
    """# check 79: the stream does not answer."""
    audit = auditing.parts.audit
    audit.security = frozenset({"StartVerification"})
    monkeypatch.setattr(audit, "answers", lambda: False)
    with pytest.raises(Unavailable) as problem:
        auditing.call("StartVerification", pb.StartVerificationRequest(request_id="r" * 10), AUDITOR)
    assert problem.value.reason == "AUDIT_UNAVAILABLE"
    auditing.call("GetChain", pb.GetChainRequest(), AUDITOR)
    monkeypatch.undo()
    assert audit.answers()
    auditing.call("StartVerification", pb.StartVerificationRequest(request_id="r" * 10), AUDITOR)
    said = [(one.action, one.result) for one in auditing.audited()]
    assert said.count(("StartVerification", "AUDIT_UNAVAILABLE")) == 1
    assert said.count(("StartVerification", "OK")) == 1


def test_sixteen_writers_and_a_broker_that_is_killed(tmp_path):
    """# check 80, check 79: one sequence without a gap, 0 lost, none twice."""
    with Stack(tmp_path / "broker", engines=("nats",), applications=False) as stack:
        secrets = Path(stack.env["TONGBAN_SECRETS"])
        given = Settings("audit", "test", "", "", stack.env["TONGBAN_NATS_URL"], "", "", tmp_path, secrets)
        made = Parts(given)
        writers = [
            Audit(replace(given, service=f"w{number}", var=tmp_path / f"v{number}"), lambda: made.bus)
            for number in range(16)
        ]
        with taking(made):
            eventually(made.audit.answers, 20)
            half, rest = threading.Barrier(17), threading.Barrier(17)

            def write(audit):
                for number in range(60):
                    if number == 30:
                        half.wait(20)
                        rest.wait(60)
                    audit.record("SignOffDocument", about=str(number))

            threads = [threading.Thread(target=write, args=(audit,)) for audit in writers]
            for thread in threads:
                thread.start()
            half.wait(20)
            stack.kill("nats")
            assert not made.audit.answers()
            rest.wait(60)
            for thread in threads:
                thread.join()
            assert sum(audit.spool.waiting() for audit in writers)
            stack.restart("nats")
            for audit in writers:
                assert audit.spool.flushed(30)
            chain = parts.chain_of(made)
            wanted = {(f"w{writer}", str(number)) for writer in range(16) for number in range(60)}
            eventually(lambda: len(_told(chain)) == len(wanted), 30)
        assert set(_told(chain)) == wanted
        numbers = [read(raw).number for raw, _ in chain.lines()]
        assert numbers == list(range(1, len(numbers) + 1))
        assert commands.verify(chain, parts.signer_of(made)).whole
        assert chain.state()["lost"] == {}
        for audit in (*writers, made):
            audit.close()
        print(
            f"check 80: 16 writers, {len(wanted)} records, the broker killed between: {len(numbers)} numbers without a gap"
        )
        print("check 79: 0 of 960 records lost, none twice")


def _told(chain):
    records = [record_of(raw) for raw, _ in chain.lines()]
    return [(one["service"], one["object"]) for one in records if one["service"].startswith("w")]


def test_a_purge_is_on_record_also_one_that_is_refused(auditing, monkeypatch, capsys):
    """# check 78"""
    monkeypatch.setattr(auditing.parts, "close", lambda: None)
    assert verbs.purge(auditing.parts, ["--before", "2026-11-01"]) == 1
    assert "184 days" in capsys.readouterr().out
    assert verbs.purge(auditing.parts, ["--before", "2026-05-01"]) == 0
    assert [(one.action, one.result) for one in auditing.audited()] == [("Purge", "TOO_YOUNG")]
    assert verbs.verify(auditing.parts, []) == 0
    assert "whole" in capsys.readouterr().out


REFUSED = (
    ("delete the stream", lambda js: js.delete_stream(AUDIT)),
    ("purge it", lambda js: js.purge_stream(AUDIT)),
    ("change it", lambda js: js.update_stream(StreamConfig(name=AUDIT, subjects=["audit.v1.>"], max_msgs=1))),
    ("delete a record", lambda js: js.delete_msg(AUDIT, 1)),
    ("read a record", lambda js: js.get_msg(AUDIT, 1)),
    ("read them all", lambda js: js.pull_subscribe("audit.v1.>", stream=AUDIT)),
    ("read them in order", lambda js: js.subscribe("audit.v1.>", stream=AUDIT, ordered_consumer=True, deliver_policy=DeliverPolicy.ALL)),
    ("take its subjects", lambda js: js.add_stream(StreamConfig(name="OTHER", subjects=["audit.v1.>"]))),
    ("forge a checkpoint", lambda js: js.publish("$KV.audit_checkpoints.last", b"{}")),
    ("empty the witness", lambda js: js.purge_stream("KV_audit_checkpoints")),
    ("delete the witness", lambda js: js.delete_stream("KV_audit_checkpoints")),
)  # fmt: skip


def test_nobody_with_the_platforms_password_can_take_a_record_away(engines):
    """# check 76: also with the password of the audit's own user no record can be taken out."""

    async def attempts():
        await make_audit_stream(engines["nats"])
        heard = []

        async def hear(message):
            heard.append(message)

        client = await nats.connect(engines["nats"], error_cb=_quiet)
        js, patient = client.jetstream(timeout=1), client.jetstream(timeout=10)
        await client.subscribe(">", cb=hear)
        await patient.publish(
            "audit.v1.test", b"", headers={"Nats-Msg-Id": os.urandom(8).hex()}, stream=AUDIT
        )
        before = (await patient.stream_info(AUDIT)).state.messages
        # Side by side, for what is refused is never answered.
        refused = await asyncio.gather(*(_fails(attempt(js)) for _, attempt in REFUSED))
        assert [what for (what, _), fails in zip(REFUSED, refused, strict=True) if not fails] == []
        assert (await patient.stream_info(AUDIT)).state.messages == before
        assert not [one for one in heard if one.subject.startswith("audit.v1.")], "heard by listening"
        await client.close()
        owner = await nats.connect(audit_settings(engines["nats"]).nats_url, error_cb=_quiet)
        mine = owner.jetstream(timeout=1)
        for attempt in (mine.purge_stream(AUDIT), mine.delete_msg(AUDIT, 1)):
            with pytest.raises((NatsError, TimeoutError)):
                await attempt
        weaker = StreamConfig(name=AUDIT, subjects=["audit.v1.>"], deny_delete=False, deny_purge=False)
        with pytest.raises((NatsError, TimeoutError)):
            await mine.update_stream(weaker)
        await owner.close()

    asyncio.run(attempts())
    print(
        f"check 76: {len(REFUSED)} attempts with the services' credentials and 3 with the audit's own: all refused"
    )


async def _fails(attempt):
    try:
        await attempt
    except (NatsError, TimeoutError):
        return True
    return False


async def _quiet(_problem):
    """What the broker refuses is what this test wants."""
