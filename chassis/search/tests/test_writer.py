"""Writing: order of revisions, several processes, kill -9, rebuild, damage."""

import random
import signal
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from chassis.search import (
    Entry,
    Field,
    Index,
    IndexBroken,
    InvalidEntry,
    Query,
    RebuildNeeded,
    Schema,
    SearchError,
    WriterBusy,
)
from chassis.search.tests.helpers import ALL, SCHEMA, entry, every

Script = Callable[..., Any]

WRITER = """
import sys
from chassis.search import Index
from chassis.search.tests.helpers import SCHEMA, entry
with Index(sys.argv[1], SCHEMA).writer() as writer:
    print("ready", flush=True)
    for line in sys.stdin:
        number = int(line)
        writer.put([entry(f"e{number}", "通知" * 50, revision=number + 1, date=number)])
        if len(sys.argv) > 2:
            writer.commit()
            print(number, flush=True)
"""


def test_shuffled_and_repeated_writes_end_alike(tmp_path: Path) -> None:
    """Whatever the order, and however often each comes, the state is the same. # check 43"""
    rng = random.Random(43)
    writes: list[Entry | tuple[str, int]] = []
    for number in range(40):
        last = rng.randint(1, 6)
        writes += [
            entry(f"e{number}", f"第{revision}版", revision=revision, row=revision)
            for revision in range(1, last + 1)
        ]
        if rng.random() < 0.4:
            writes.append((f"e{number}", rng.randint(1, last + 1)))
    states = []
    for attempt in range(4):
        order = list(writes) if attempt == 0 else rng.sample(writes * 2, len(writes) * 2)
        index = Index(tmp_path / str(attempt), SCHEMA)
        index.rebuild(())
        with index.writer() as writer:
            for write in order:
                if isinstance(write, Entry):
                    writer.put([write])
                else:
                    writer.delete(dict([write]))
                if rng.random() < 0.02:
                    writer.commit()
        states.append(every(index))
    assert len(states[0]) > 20
    assert all(state == states[0] for state in states)


def test_delete_without_a_revision(index: Index) -> None:
    """It removes what is there, leaves unknown ids alone, and a newer revision may come back."""
    with index.writer() as writer:
        writer.put([entry("a", revision=3)])
        writer.delete(["a", "unknown"])
        writer.put([entry("a", revision=3), entry("unknown")])
        writer.commit()
        assert every(index).keys() == {"unknown"}
        writer.put([entry("a", revision=4)])
        writer.commit()
        assert every(index).keys() == {"a", "unknown"}


def test_a_put_shows_within_100_ms(index: Index, script: Script) -> None:
    """In another process; the best of 15 but the first, which follows no commit: the machine may be busy."""
    child = script(WRITER, index._folder.path)
    assert child.stdout.readline() == "ready\n"
    waits = []
    for number in range(15):
        started = time.perf_counter()
        child.stdin.write(f"{number}\n")
        child.stdin.flush()
        while not index.search(Query(must={"id": [f"e{number}"]}), ALL).total:
            assert time.perf_counter() - started < 10
            time.sleep(0.002)
        waits.append(time.perf_counter() - started)
        time.sleep(0.01)
    assert min(waits[1:]) <= 0.1, waits
    assert index.wait_for("e3", 4, 0)
    assert not index.wait_for("e3", 5, 0.05)
    with pytest.raises(WriterBusy):
        index.writer()
    with pytest.raises(WriterBusy):
        index.rebuild(())


def test_wait_for_sees_a_write_that_comes_later(index: Index, script: Script) -> None:
    """It waits through commits of others until the one asked for."""
    child = script(WRITER, index._folder.path)
    assert child.stdout.readline() == "ready\n"
    threading.Timer(0.2, lambda: print(7, file=child.stdin, flush=True)).start()
    assert index.wait_for("e7", 8, 10)


def test_kill_9_loses_nothing_that_was_committed(index: Index, script: Script) -> None:
    """Five times amid writing: no lock is left, checksums hold, every acknowledged entry is there."""
    rng = random.Random(9)
    acknowledged: set[str] = set()
    for attempt in range(5):
        child = script(WRITER, index._folder.path, "acknowledge")
        assert child.stdout.readline() == "ready\n"
        # All of them fit into the pipe; the writer is killed long before it has read the last.
        child.stdin.write("".join(f"{attempt * 10_000 + number}\n" for number in range(2_000)))
        child.stdin.flush()
        for _ in range(rng.randint(1, 8)):
            acknowledged.add(f"e{child.stdout.readline().strip()}")
        time.sleep(rng.uniform(0, 0.04))
        child.kill()
        acknowledged |= {f"e{line.strip()}" for line in child.stdout}
        assert child.wait() == -signal.SIGKILL
        index.check()
        assert acknowledged <= every(index).keys()
    assert len(acknowledged) < 5 * 2_000
    with index.writer() as writer:
        writer.put([entry("after")])
        writer.commit()
        assert index.search(Query(must={"id": ["after"]}), ALL).total == 1


def test_reading_goes_on_beside_writing_merging_and_rebuilding(index: Index) -> None:
    """Four threads search without an error while entries come in and the index is built anew twice."""
    stop = threading.Event()
    errors: list[BaseException] = []
    totals: list[int] = []

    def read() -> None:
        other = Index(index._folder.path, SCHEMA)
        try:
            while not stop.is_set():
                totals.append(other.search(Query("通知"), ALL).total)
        except BaseException as error:  # noqa: BLE001 - the main thread asserts that there was none
            errors.append(error)

    def source() -> Iterator[Entry]:
        for number in range(written):
            yield entry(f"e{number}", "通知", revision=number + 1)

    written = 0
    with index.writer() as writer:
        threads = [threading.Thread(target=read) for _ in range(4)]
        for thread in threads:
            thread.start()
        for round_ in range(60):
            writer.put(
                [entry(f"e{number}", "通知", revision=number + 1) for number in range(written, written + 5)]
            )
            writer.commit()
            written += 5
            if round_ in (20, 40):
                rebuilding = threading.Thread(target=writer.rebuild, args=[source()])
                rebuilding.start()
                threads.append(rebuilding)
        stop.set()
        for thread in threads:
            thread.join()
    assert not errors, errors
    assert len(every(index)) == written
    assert len(list(index._folder.path.glob("generation-*"))) == 1


def test_writes_during_a_rebuild_are_kept(index: Index) -> None:
    """Also a deletion of what the source has already given, and a newer revision than the source's."""
    with index.writer() as writer:
        writer.put([entry("gone"), entry("changed", row=1)])
        writer.commit()

        def source() -> Iterator[Entry]:
            yield entry("gone")
            yield entry("changed", row=1)
            writer.delete({"gone": 2})
            writer.put([entry("changed", revision=2, row=2), entry("new")])
            writer.commit()

        seen: list[int] = []
        assert writer.rebuild(source(), seen.append) == 2
        assert seen == [2]
        assert every(index) == {"changed": (2, {"row": 2}), "new": (1, {})}
        writer.put([entry("later")])
        writer.commit()
        assert "later" in every(index)
    index.check()


def test_a_failed_rebuild_changes_nothing(index: Index) -> None:
    """The source's own error comes out, and both the index and its writer go on."""

    def source() -> Iterator[Entry]:
        yield entry("half")
        raise ConnectionError("no database")

    with index.writer() as writer:
        writer.put([entry("a")])
        with pytest.raises(ConnectionError):
            writer.rebuild(source())
        writer.put([entry("b")])
    with pytest.raises(ConnectionError):
        index.rebuild(source())
    assert every(index).keys() == {"a", "b"}


def test_no_index_or_another_schema_needs_a_rebuild(tmp_path: Path) -> None:
    """Each door says so, and `ensure` acts on it, once."""
    path = tmp_path / "index"
    index = Index(path, SCHEMA)
    for act in (
        index.check,
        index.writer,
        lambda: index.search(Query(), ALL),
        lambda: index.wait_for("a", 1, 0),
    ):
        with pytest.raises(RebuildNeeded):
            act()
    assert index.ensure(lambda: [entry("a")])
    assert not index.ensure(lambda: [entry("b")])
    assert every(index).keys() == {"a"}
    newer = Index(path, Schema((*SCHEMA.fields, Field("more", "keyword"))))
    for act in (newer.check, newer.writer, lambda: newer.search(Query(), ALL)):
        with pytest.raises(RebuildNeeded):
            act()
    assert newer.ensure(lambda: [entry("a", more="x")])
    with pytest.raises(RebuildNeeded):
        index.search(Query(), ALL)


@pytest.mark.parametrize("damage", ["current", "meta", "bit", "missing", "cut", "digest", "empty"])
def test_damage_is_told_and_repaired(index: Index, damage: str) -> None:
    """A flipped bit, a file missing, cut short or nonsense: `IndexBroken`, and `ensure` builds anew."""
    with index.writer() as writer:
        writer.put([entry(f"e{number}", "通知" * 30) for number in range(50)])
        writer.commit()
    path = index._folder.path
    generation = index._folder.current()
    segment = max(generation.glob("*.pos"), key=lambda file: file.stat().st_size)
    if damage == "current":
        (path / "current").write_bytes(b"../../etc\xff")
    elif damage == "meta":
        (generation / "meta.json").write_text("{")
    elif damage == "bit":
        content = bytearray(segment.read_bytes())
        content[len(content) // 3] ^= 4
        segment.write_bytes(content)
    elif damage == "missing":
        segment.unlink()
    elif damage == "cut":
        segment.write_bytes(segment.read_bytes()[:-20])
    elif damage == "digest":
        (generation / "schema.digest").unlink()
    else:
        for file in generation.iterdir():
            file.unlink()
    fresh = Index(path, SCHEMA)
    with pytest.raises(IndexBroken) as raised:
        fresh.check()
    assert raised.value.zh
    assert raised.value.en
    assert raised.value.reason == "SEARCH_INDEX_BROKEN"
    assert fresh.ensure(lambda: [entry("a", "通知")])
    fresh.check()
    assert [hit.id for hit in fresh.search(Query("通知"), ALL).hits] == ["a"]


def test_a_failing_disk_is_told_to_the_callers(index: Index, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody acknowledges an event whose entry was not written: commit, put and close raise."""
    writer = index.writer()
    monkeypatch.setattr(
        writer._generation, "apply", lambda batch: (_ for _ in ()).throw(IndexBroken("disk full"))
    )
    writer.put([entry("a")])
    for act in (writer.commit, lambda: writer.put([entry("b")]), writer.close):
        with pytest.raises(IndexBroken):
            act()
    with index.writer() as again:
        again.put([entry("a")])
    with pytest.raises(SearchError):
        again.put([entry("b")])
    assert every(index).keys() == {"a"}


@pytest.mark.parametrize(
    "bad",
    [
        Entry("", 1, ["all"], 0, {"date": 0}),
        Entry("\ud800", 1, ["all"], 0, {"date": 0}),
        Entry("a", -1, ["all"], 0, {"date": 0}),
        Entry("a", True, ["all"], 0, {"date": 0}),
        Entry("a", 1, "all", 0, {"date": 0}),
        Entry("a", 1, [""], 0, {"date": 0}),
        Entry("a", 1, ["all"], 10, {"date": 0}),
        Entry("a", 1, ["all"], 0, {}),
        Entry("a", 1, ["all"], 0, {"date": 1.5}),
        Entry("a", 1, ["all"], 0, {"date": 2**63}),
        Entry("a", 1, ["all"], 0, {"date": 0, "unknown": 1}),
        Entry("a", 1, ["all"], 0, {"date": 0, "title": 5}),
        Entry("a", 1, ["all"], 0, {"date": 0, "unit": ["x" * 2000]}),
        Entry("a", 1, ["all"], 0, {"date": 0, "pages": "12"}),
        Entry("a", 1, ["all"], 0, {"date": 0, "row": {1, 2}}),
        Entry("a", 1, ["all"], 0, {"date": 0, "row": float("nan")}),
    ],
)
def test_a_bad_entry_is_refused_whole(index: Index, bad: Entry) -> None:
    """And so are the good ones in the same call."""
    with index.writer() as writer:
        with pytest.raises(InvalidEntry):
            writer.put([entry("good"), bad])
        writer.put([entry("strange", "半个\ud800字", "\x00", row="\ud800")])
    assert every(index) == {"strange": (1, {"row": "\ud800"})}
