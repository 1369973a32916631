"""The chain on its own: what is written can be walked along, and whatever is done to it afterwards is named with its place."""

from __future__ import annotations

import base64
import random
import shutil
import threading
from datetime import UTC, datetime, timedelta

import pytest
from tongban.events.v1 import audit_pb2 as pb

from chassis.errors import WrongState
from services.audit import commands, keeper, repository
from services.audit.keeper import Keeper
from services.audit.model.chain import GENESIS, Walk, read, written
from services.audit.model.sources import Sources
from services.audit.repository import Busy, Chain, Writer
from services.audit.signing import Signer

RECORDS = 100_000
SIGNER = Signer(base64.urlsafe_b64encode(bytes(range(32))).decode())


def batch(source, first, count=1, **more):
    """A message of the stream."""
    records = [
        pb.AuditRecord(
            id=f"{source}.{number}", service="documents", action="SignOffDocument", object=f"d{number}", person="p1", name="张三",
            unit="fgw", session="s1", address="10.0.0.1", peer="ipv4:127.0.0.1:5000", result="OK", request_id="r" * 32, **more,
        )
        for number in range(first, first + count)
    ]  # fmt: skip
    return pb.AuditBatch(records=records).SerializeToString()


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A chain of 100,000 records with a checkpoint now and then."""
    folder = tmp_path_factory.mktemp("whole")
    writer = Writer(folder)
    kept = Keeper(writer, SIGNER)
    for position in range(RECORDS // 500):
        kept.take([(position + 1, batch("a", position * 500 + 1, 500))])
        if position % 20 == 19:
            kept.checkpoint()
    kept.note()
    writer.close()
    assert kept.number == RECORDS
    return folder


@pytest.fixture
def copy(whole, tmp_path):
    """One to spoil."""
    return Chain(shutil.copytree(whole, tmp_path / "chain"))


def findings(chain, witnessed=()):
    return [(one.kind, one.number) for one in commands.verify(chain, SIGNER, witnessed).findings]


def lines_of(path):
    return path.read_bytes().splitlines(keepends=True)


def edit(chain, number, change):
    """Apply `change` to the lines of the segment that holds this number; it gets the place within."""
    path = max(
        (one for one in chain.segments() if repository.first_of(one) <= number), key=repository.first_of
    )
    lines = lines_of(path)
    change(lines, number - repository.first_of(path))
    path.write_bytes(b"".join(lines))
    return path.name


def flip(lines, at):
    lines[at] = lines[at].replace("张三".encode(), "李四".encode())


def delete(lines, at):
    del lines[at]


def insert(lines, at):
    """One that fits the line before it, with a right sum of its own."""
    before = read(lines[at - 1].rstrip(b"\n"))
    forged, _ = written(
        before.number + 1, before.position, before.sum, before.kept, {"id": "x.1", "action": "Login"}
    )
    lines.insert(at, forged + b"\n")


def swap(lines, at):
    lines[at], lines[at + 1] = lines[at + 1], lines[at]


def truncate(lines, at):
    del lines[at:]


SPOILED = {flip: "altered", delete: "missing", insert: "inserted", swap: "reordered"}


def test_a_whole_chain_is_whole(whole):
    report = commands.verify(Chain(whole), SIGNER)
    assert (report.whole, report.lines, report.first, report.last) == (True, RECORDS, 1, RECORDS)
    assert report.checkpoints == 10
    assert len(Chain(whole).segments()) > 1
    assert commands.verify(Chain(whole), SIGNER, first=RECORDS - 10).whole
    assert report.seconds < 20
    print(f"{report.lines} records walked along in {report.seconds} s")


def test_whatever_is_done_to_one_record_is_named_with_its_place(copy):
    """# check 75"""
    numbers = sorted(random.sample(range(1000, RECORDS - 2000, 100), len(SPOILED)), reverse=True)
    # From the end, so that each stands where its number says when its turn comes.
    spoiled = [
        (spoil, number, edit(copy, number, spoil)) for spoil, number in zip(SPOILED, numbers, strict=True)
    ]
    report = commands.verify(copy, SIGNER)
    for spoil, number, name in spoiled:
        (found,) = [one for one in report.findings if (one.kind, one.number) == (SPOILED[spoil], number)]
        assert found.place.startswith(name)
        print(f"check 75: {spoil.__name__} of record {number} of {RECORDS}: {found.kind}, {found.place}")
    assert {one.number for one in report.findings} <= {
        at for number in numbers for at in (number - 1, number, number + 1)
    }


def test_a_truncated_end_is_named(copy):
    """# check 75: the fifth; also where the checkpoints beside it were truncated with it."""
    last = copy.segments()[-1]
    edit(copy, RECORDS - 50, truncate)
    signed = copy.checkpoints()
    assert commands.verify(copy, SIGNER, first=RECORDS - 60).findings[0].kind == "truncated"
    path = copy.folder / repository.CHECKPOINTS
    path.write_bytes(b"".join(lines_of(path)[:-1]))
    # Only who knows more than the folder can tell then: the witness does. # check 77
    assert ("truncated", RECORDS - 50) in findings(copy, signed)
    print(f"check 75: truncate of 51 records of {RECORDS} in {last.name}: named; 5 of 5")


def test_a_chain_with_new_sums_does_not_fit_its_checkpoints(tmp_path, monkeypatch):
    """Who may write the folder can make all sums anew, but not what was signed."""
    copy = aged(tmp_path, monkeypatch, [3, 2, 1])
    previous = GENESIS
    for at, path in enumerate(copy.segments()):
        if at == 2:
            # Where the forger stops, the chain breaks.
            assert ("replaced", 20) in findings(copy)
        changed = []
        for raw in lines_of(path):
            line = read(raw.rstrip(b"\n"))
            record = {"id": f"a.{line.number}", "action": "nothing happened"}
            made, previous = written(line.number, line.position, previous, line.kept, record)
            changed.append(made + b"\n")
        path.write_bytes(b"".join(changed))
    assert findings(copy) == [("checkpoint", 30)]


def test_a_checkpoint_of_somebody_else_is_not_believed(copy):
    other = Signer(base64.urlsafe_b64encode(bytes(32)).decode())
    writer = Writer(copy.folder)
    writer.add_checkpoint(other.sign(commands.Checkpoint(RECORDS, "0" * 64, "2026-11-22T00:00:00.000Z")))
    writer.close()
    assert ("signature", RECORDS) in findings(copy)


def test_an_older_copy_is_found_out_by_the_witness(whole, tmp_path):
    """# check 77: the whole folder, checkpoints and all, put back to an earlier state."""
    writer = Writer(tmp_path / "chain")
    kept = Keeper(writer, SIGNER)
    kept.take([(1, batch("a", 1, 100))])
    kept.checkpoint()
    kept.note()
    writer.close()
    earlier = shutil.copytree(tmp_path / "chain", tmp_path / "earlier")
    writer = Writer(tmp_path / "chain")
    kept = Keeper(writer, SIGNER)
    kept.take([(2, batch("a", 101, 100))])
    witnessed = [kept.checkpoint()]
    writer.close()
    assert commands.verify(Chain(earlier), SIGNER).whole
    assert findings(Chain(earlier), witnessed) == [("truncated", 101)]
    print("check 77: an earlier copy of 100 of 200 records: found out")


def test_each_record_is_taken_once_whatever_comes_again(tmp_path):
    writer = Writer(tmp_path)
    kept = Keeper(writer, SIGNER)
    assert len(kept.take([(1, batch("a", 1, 10)), (2, batch("a", 5, 10)), (3, batch("b", 1))])) == 15
    assert kept.take([(3, batch("b", 1)), (4, batch("a", 1, 14))]) == []
    assert len(kept.take([(5, batch("a", 20))])) == 1
    kept.note()
    writer.close()
    # Also by a process that knows only what is on the disk, with the note and without it.
    for note in (True, False):
        if not note:
            (tmp_path / repository.STATE).unlink()
        writer = Writer(tmp_path)
        again = Keeper(writer, SIGNER)
        assert (again.number, again.sum) == (kept.number, kept.sum)
        assert again.take([(6, batch("a", 1, 14)), (7, batch("a", 20)), (8, batch("b", 1))]) == []
        writer.close()
    # What a source numbered and never came is told.
    assert Sources(Keeper(Writer(tmp_path), SIGNER)._sources.to_keep()).lost() == {"a": [15, 16, 17, 18, 19]}


def test_what_another_system_numbered_is_taken_once(tmp_path):
    writer = Writer(tmp_path)
    kept = Keeper(writer, SIGNER)
    record = pb.AuditRecord(
        id="keycloak:1b2c", service="keycloak", action="LOGIN_ERROR", result="user_not_found"
    )
    message = pb.AuditBatch(records=[record]).SerializeToString()
    assert len(kept.take([(1, message), (2, message)])) == 1
    assert kept.take([(3, message)]) == []


def test_there_is_one_writer(tmp_path):
    writer = Writer(tmp_path)
    with pytest.raises(Busy):
        Writer(tmp_path)
    writer.close()
    Writer(tmp_path).close()


def test_the_end_that_a_power_failure_cut_short_is_written_anew(tmp_path):
    writer = Writer(tmp_path)
    Keeper(writer, SIGNER).take([(1, batch("a", 1, 3))])
    writer.close()
    path = writer.segments()[0]
    path.write_bytes(path.read_bytes()[:-20])
    writer = Writer(tmp_path)
    kept = Keeper(writer, SIGNER)
    assert (writer.cut > 0, kept.number) == (True, 2)
    assert [number for number, _ in kept.take([(1, batch("a", 1, 3))])] == [3]
    assert commands.verify(writer, SIGNER).whole


def test_sixteen_writers_make_one_sequence(tmp_path):
    """# check 80"""
    writer = Writer(tmp_path)
    kept = Keeper(writer, SIGNER)
    position = iter(range(1, 10_000))

    def write(source):
        for number in range(25):
            kept.take([(next(position), batch(f"s{source}", number + 1))])

    threads = [threading.Thread(target=write, args=(source,)) for source in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    numbers = [read(raw).number for raw, _ in writer.lines()]
    assert numbers == list(range(1, 401))
    assert commands.verify(writer, SIGNER).whole
    print("check 80: 16 writers, 400 records, no gap")


NOW = datetime(2026, 11, 22, tzinfo=UTC)


def aged(folder, monkeypatch, ages):
    """A chain of small segments, each kept so many days ago."""
    monkeypatch.setattr(repository, "SEGMENT_BYTES", 2000)
    writer = Writer(folder)
    kept = Keeper(writer, SIGNER)
    for at, age in enumerate(ages):
        monkeypatch.setattr(keeper, "now", lambda age=age: NOW - timedelta(days=age))
        kept.take([(at + 1, batch("a", at * 10 + 1, 10))])
    kept.checkpoint()
    return writer


def test_what_is_younger_than_184_days_is_not_removed(tmp_path, monkeypatch):
    """# check 78"""
    chain = aged(tmp_path, monkeypatch, [300, 200, 190, 100, 1])
    for days in (183, 100, 1, 0, -10):
        with pytest.raises(WrongState) as problem:
            commands.removable(chain, SIGNER, NOW - timedelta(days=days), NOW)
        assert problem.value.reason == "TOO_YOUNG"
    assert len(chain.segments()) == 5
    anchor = commands.removable(chain, SIGNER, NOW - timedelta(days=184), NOW)
    assert len(commands.remove(chain, anchor)) == 3
    report = commands.verify(chain, SIGNER)
    assert (report.whole, report.first, report.last) == (True, 31, 50)
    # The anchor is signed: another one is found out.
    path = tmp_path / repository.ANCHOR
    path.write_text(path.read_text().replace('"before":"2026-05-22"', '"before":"2020-01-01"'))
    assert ("signature", 31) in findings(chain)
    print("check 78: 5 purges of younger records refused; 30 of 50 removed, the rest verifies")


def test_a_chain_that_is_not_whole_is_not_purged(tmp_path, monkeypatch):
    chain = aged(tmp_path, monkeypatch, [300, 200, 1])
    edit(chain, 25, flip)
    with pytest.raises(WrongState) as problem:
        commands.removable(chain, SIGNER, NOW - timedelta(days=190), NOW)
    assert problem.value.reason == "AUDIT_NOT_WHOLE"


def test_a_walk_survives_any_bytes():
    for raw in (b"", b"{", b"x" * 100, b'{"kept":"', b"\xff" * 200):
        walk = Walk()
        walk.take(raw, "here")
        assert [one.kind for one in walk.end("here")] == ["unreadable"]
