"""The store and what is built on it: compare-and-set, request ids, intents, claims, files, small records."""

from __future__ import annotations

import hashlib
import random
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime

import bson
import pytest
from pymongo import errors as driver

from chassis import files as files_module
from chassis import intents as intents_module
from chassis import records
from chassis import store as store_module
from chassis.aggregate import Request
from chassis.errors import (
    Conflict,
    Exists,
    Forbidden,
    InvalidInput,
    NotFound,
    TooMuch,
    Unavailable,
    WrongState,
)
from chassis.files import Files
from chassis.intents import PENDING
from chassis.plain import PlainRecords, RememberedRecords
from chassis.repository import anyone
from chassis.tests.helpers import Thing, things

pytestmark = pytest.mark.integration


@pytest.fixture
def repository(store, given):
    return things(store, given)


@pytest.fixture
def intents(store):
    return store.collection(PENDING).count


def test_compare_and_set(store):
    records = store.collection("plain")
    records.insert({"_id": "a", "revision": 1, "word": "一", "outbox": []})
    records.save({"_id": "a", "revision": 1, "word": "二"}, [])
    with pytest.raises(Conflict):
        records.save({"_id": "a", "revision": 1, "word": "三"}, [{"id": "e"}])
    with pytest.raises(Conflict):
        records.save({"_id": "nobody", "revision": 1}, [])
    assert records.get("a") == {"_id": "a", "revision": 2, "word": "二", "outbox": []}
    with pytest.raises(Exists):
        records.insert({"_id": "a", "revision": 1})


def test_many_racers_lose_nothing(repository):
    repository.add(Thing(id="t"), Request("begin"))

    def race(number):
        repository.change("t", Request(f"r{number}"), lambda thing: thing.add(events=0), anyone)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(race, range(80)))
    thing = repository.get("t")
    assert (thing.number, thing.revision, len(thing.applied)) == (80, 81, 81)


def test_the_same_request_has_one_effect_and_one_answer(repository, intents):
    repository.add(Thing(id="t"), Request("begin"))
    with ThreadPoolExecutor(8) as pool:
        answers = list(
            pool.map(lambda _: repository.change("t", Request("same", "d"), Thing.add, anyone), range(24))
        )
    assert {(one.number, one.revision) for one in answers} == {(1, 2)}
    with pytest.raises(InvalidInput) as problem:
        repository.change("t", Request("same", "other"), Thing.add, anyone)
    assert problem.value.reason == "REQUEST_ID_REUSED"
    assert repository.get("t").number == 1
    assert intents() == 2  # of the two saves that were; each loser took his own away


def test_creation_is_idempotent(repository):
    first, again = Request("create", "d"), Request("create", "d")
    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(lambda _: repository.add(Thing(id=again.new_id(), number=7), first), range(16)))
    assert {(one.id, one.number, one.revision) for one in made} == {(first.new_id(), 7, 1)}
    with pytest.raises(Exists):
        repository.add(Thing(id=first.new_id()), Request("another"))
    with pytest.raises(InvalidInput):
        repository.add(Thing(id=first.new_id()), Request("create", "other content"))


def test_rights_are_asked_before_anything_shows(repository):
    def refuse(_thing):
        raise Forbidden("FORBIDDEN", "x")

    repository.add(Thing(id="t"), Request("begin"))
    repository.change("t", Request("a"), Thing.add, anyone)
    # Neither the answer to a repetition nor the revision is for those who may not do this any more.
    for request in (Request("a"), Request("b", etag="1"), Request("c")):
        with pytest.raises(Forbidden):
            repository.change("t", request, Thing.add, refuse)
    assert repository.get("t").number == 1


def test_etag_and_absence(repository):
    repository.add(Thing(id="t"), Request("begin"))
    repository.change("t", Request("a", etag="1"), Thing.add, anyone)
    with pytest.raises(Conflict):
        repository.change("t", Request("b", etag="1"), Thing.add, anyone)
    # The answer to a repetition does not depend on what has happened since.
    assert repository.change("t", Request("a", etag="1"), Thing.add, anyone).number == 1
    with pytest.raises(NotFound):
        repository.change("nobody", Request("c"), Thing.add, anyone)
    assert repository.find("nobody") is None


def test_a_step_that_refuses_changes_nothing(repository, intents):
    repository.add(Thing(id="t"), Request("begin"))
    before = intents()
    with pytest.raises(WrongState):
        repository.change("t", Request("a"), lambda thing: thing.add(0), anyone)
    assert intents() == before
    assert repository.get("t").revision == 1
    # The same id works once the state is right.
    assert repository.change("t", Request("a"), Thing.add, anyone).number == 1


def test_a_write_that_fails_leaves_no_intent(repository, intents, monkeypatch):
    repository.add(Thing(id="t"), Request("begin"))
    before = intents()
    for value, problem in (
        (object(), bson.errors.InvalidDocument),
        ("x" * (17 << 20), TooMuch),
        (1 << 70, OverflowError),
    ):
        with pytest.raises(problem):
            repository.change(
                "t", Request("bad"), lambda thing, value=value: thing.words.update(word=value), anyone
            )
        assert intents() == before
    with pytest.raises(Exists):
        repository.add(Thing(id="t"), Request("other"))
    monkeypatch.setattr(repository.collection, "save", lambda *_: (_ for _ in ()).throw(Conflict("X", "x")))
    monkeypatch.setattr(records, "ATTEMPTS", 3)
    with pytest.raises(Conflict):
        repository.change("t", Request("bad"), Thing.add, anyone)
    assert intents() == before
    # Whether it was written is not known here: then the intent must stay.
    monkeypatch.setattr(
        repository.collection, "save", lambda *_: (_ for _ in ()).throw(Unavailable("X", "x"))
    )
    with pytest.raises(Unavailable):
        repository.change("t", Request("bad"), Thing.add, anyone)
    assert intents() == before + 1


def test_a_save_that_stood_still_announces_itself_again(repository, store, monkeypatch):
    """The relay may have given the intent up, so it is written once more."""
    repository.add(Thing(id="t"), Request("begin"))
    pending, save = store.collection(PENDING), repository.collection.save
    clock = [1000.0]
    monkeypatch.setattr(intents_module.time, "time", lambda: clock[0])

    def slow(record, events):
        for one in pending.scan():
            pending.remove(one["_id"])
        clock[0] += 3600
        save(record, events)

    monkeypatch.setattr(repository.collection, "save", slow)
    repository.change("t", Request("a"), Thing.add, anyone)
    assert pending.count() == 1


def test_events_of_a_change_are_saved_with_it(repository):
    repository.add(Thing(id="t"), Request("begin"))
    done = repository.change("t", Request("a"), lambda thing: thing.add(events=3), anyone)
    assert done.news == []
    record = repository.collection.get("t")
    assert len({event["id"] for event in record["outbox"]}) == 3
    assert all(event["subject"].endswith(".obligation.closed") for event in record["outbox"])
    repository._to_wire = None
    with pytest.raises(TypeError, match="to_wire"):
        repository.change("t", Request("b"), Thing.add, anyone)


def test_what_is_stored_comes_back(store, given, repository):
    moment = datetime(2026, 3, 4, 5, 6, 7, 89000, tzinfo=UTC)
    words = {"a.b": "点", "$set": "钱", "": "空", "大府办发〔2026〕1号": "号", "event:1|u": "竖"}
    repository.add(Thing(id="键/ä|1.$", words=words, applied={"a.b$": "x"}), Request("begin"))
    found = repository.get("键/ä|1.$")
    assert found.words == words
    changed = repository.change(
        "键/ä|1.$", Request("$更.改"), lambda thing: thing.words.update({"c.$d": "改"}), anyone
    )
    assert repository.get("键/ä|1.$").words == changed.words == {**words, "c.$d": "改"}
    records = store.collection("plain")
    records.insert({"_id": "t", "at": moment, "none": None, "list": [1, {"x": "二"}], "data": b"\x00\xff"})
    found = records.get("t")
    assert (found["at"], found["none"], found["list"], found["data"]) == (
        moment,
        None,
        [1, {"x": "二"}],
        b"\x00\xff",
    )


def test_old_records_are_lifted(store, given, repository):
    repository.add(Thing(id="t"), Request("begin"))
    steps = {
        1: lambda record: {**record, "number": record["number"] + 10},
        2: lambda record: {**record, "words": {"neu": "新"}},
    }
    newer = things(store, given, schema=3, upcasts=steps)
    assert (newer.get("t").number, newer.get("t").words) == (10, {"neu": "新"})
    newer.change("t", Request("a"), Thing.add, anyone)
    assert (newer.get("t").number, newer.collection.get("t")["schema"]) == (11, 3)


def test_get_many_of_any_number(store):
    records = store.collection("plain")
    for number in range(5):
        records.insert({"_id": f"k{number}"})
    found = records.get_many([f"k{number}" for number in range(2500)] + ["k1"])
    assert sorted(found) == [f"k{number}" for number in range(5)]
    assert records.get_many([]) == {}
    assert records.get_many(f"k{number}" for number in (4, 9)).keys() == {"k4"}


def test_a_place_is_claimed_once(store):
    places = store.collection("places")
    start = threading.Barrier(8)

    def claim(number):
        start.wait()
        return places.claim("room|2026-12-01", f"h{number}")

    with ThreadPoolExecutor(8) as pool:
        holders = set(pool.map(claim, range(8)))
    assert len(holders) == 1
    holder = holders.pop()
    assert places.claim("room|2026-12-01", holder) == holder
    places.release("room|2026-12-01", "somebody else")
    assert places.claim("room|2026-12-01", "next") == holder
    places.release("room|2026-12-01", holder)
    places.release("room|2026-12-01", holder)
    assert places.claim("room|2026-12-01", "next", day="一") == "next"


def test_a_second_release_does_not_take_the_next_holders_place(store):
    """A release that is repeated while the place changes hands."""
    places = store.collection("places")
    for number in range(20):
        key, start = f"p{number}", threading.Barrier(3)
        places.claim(key, "old")

        def release(key=key, start=start):
            start.wait()
            places.release(key, "old")

        def take(key=key, start=start):
            start.wait()
            while places.claim(key, "new") != "new":
                pass

        threads = [threading.Thread(target=one) for one in (release, release, take)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert places.get(key)["holder"] == "new"


def test_put_remove_scan_count(store):
    records = store.collection("plain")
    records.put({"_id": "a", "n": 1})
    records.put({"_id": "a", "n": 2})
    records.remove("a")
    records.remove("a")
    # More than one batch of the cursor.
    records._c.insert_many([{"_id": str(number), "n": number} for number in range(1200)])
    assert sorted(record["n"] for record in records.scan()) == list(range(1200))
    assert records.count() == 1200


def test_the_database_says_when_its_disk_is_full(store):
    """14031 is the code of MongoDB and of the embedded database; a full disk is no fault of the caller's."""
    records = store.collection("plain")
    records.insert({"_id": "a", "revision": 1})

    class Full:
        def __getattr__(self, _name):
            def fail(*_args, **_more):
                raise kinds.pop()("no space left on /srv/secret", 14031)

            return fail

    several = lambda _text, code: driver.BulkWriteError({"writeErrors": [{"code": code}]})  # noqa: E731
    kinds = [several, driver.OperationFailure, driver.OperationFailure, driver.WriteError]
    records._c = Full()
    calls = (lambda: records.save({"_id": "a", "revision": 1}, []), lambda: records.put({"_id": "b"}))
    for call in (*calls, lambda: records.remove("a"), lambda: records.published({"a": ["e"]})):
        with pytest.raises(Unavailable) as problem:
            call()
        assert problem.value.reason == "STORE_FULL"
        assert "/srv" not in f"{problem.value.zh}{problem.value.en}"
    kinds += [
        lambda text, _code: driver.DocumentTooLarge(text),
        lambda text, _code: driver.OperationFailure(text, 17419),
    ]
    for _ in range(2):
        with pytest.raises(TooMuch):
            records.put({"_id": "b"})
    kinds += [
        lambda text, _code: driver.NetworkTimeout(text),
        lambda text, _code: driver.WriteConcernError(text, 64),
    ]
    for _ in range(2):
        with pytest.raises(Unavailable) as problem:
            records.put({"_id": "b"})
        assert problem.value.reason == "STORE_UNAVAILABLE"
    kinds += [lambda text, _code: driver.OperationFailure(text, 13)]
    with pytest.raises(driver.OperationFailure):
        records.put({"_id": "b"})


@dataclass
class Todo:
    id: str
    items: dict[str, int] = field(default_factory=dict)
    at: datetime | None = None


def test_small_records(store):
    lists = PlainRecords(store, "lists", Todo, Todo)
    with ThreadPoolExecutor(6) as pool:
        list(
            pool.map(
                lambda number: lists.change(
                    "p", lambda one: one.items.update({f"i{number}": number}) or True
                ),
                range(60),
            )
        )
    assert len(lists.get_many(["p", "q"])["p"].items) == 60
    assert lists.change("p", lambda _one: 0) == 0
    assert lists.change("new", lambda _one: False) is False
    with pytest.raises(WrongState):
        lists.change("p", lambda one: (_ for _ in ()).throw(WrongState("X", "x")))
    assert [one.id for one in lists.scan()] == ["p"]
    lists.remove("p")
    assert lists.get_many(["p"]) == {}


def test_a_scan_reads_page_by_page_what_is_there(store, monkeypatch):
    records = store.collection("many")
    assert list(records.scan()) == []
    keys = sorted([f"k{number:04d}" for number in range(450)] + ["a|b", "公文", "K0", "é"])
    records.insert_all([{"_id": key, "word": key * 2, "outbox": []} for key in reversed(keys)])
    found = list(records.scan())
    assert [one["_id"] for one in found] == keys
    assert all(one["word"] == one["_id"] * 2 for one in found)
    told = []
    for one in records.scan():
        told.append(one["_id"])
        # Begun with one that is removed, told of one that came behind, and nothing twice.
        records.remove(one["_id"])
        if one["_id"] == "k0300":
            records.put({"_id": "k0449x"})
    assert told == sorted([*keys, "k0449x"])
    assert list(records.scan()) == []
    monkeypatch.setattr(store_module, "PAGE", 3)
    records.insert_all([{"_id": key} for key in "abcdef"])
    assert [one["_id"] for one in records.scan()] == list("abcdef")


def test_what_is_remembered_is_as_fresh_as_what_is_read(store):
    lists = RememberedRecords(store, "remembered", Todo, Todo, 3)
    others = PlainRecords(store, "remembered", Todo, Todo)
    reads = []
    get_many = lists._records.get_many
    lists._records.get_many = lambda keys: reads.append(sorted(keys)) or get_many(keys)

    def add(key, item):
        return others.change(key, lambda one: one.items.update({item: 1}) or True)

    def items(*keys):
        return {key: sorted(one.items) for key, one in lists.get_many(iter(keys)).items()}

    add("a", "x")
    add("b", "y")
    assert items("a", "b", "none") == {"a": ["x"], "b": ["y"]}
    assert items("b", "a") == {"a": ["x"], "b": ["y"]}
    add("a", "z")
    assert items("a", "b") == {"a": ["x", "z"], "b": ["y"]}
    assert reads == [["a", "b"], [], ["a"]], "only what changed is read again"
    others.remove("b")
    assert items("a", "b") == {"a": ["x", "z"]}
    add("b", "other")
    assert items("b") == {"b": ["other"]}, "begun anew, it is another record"
    for key in "cde":
        add(key, key)
    assert items(*"abcde") == {"a": ["x", "z"], "b": ["other"], "c": ["c"], "d": ["d"], "e": ["e"]}
    assert len(lists._kept) == 3


@pytest.fixture
def files(store, monkeypatch):
    monkeypatch.setattr(files_module, "PIECE", 1000)
    monkeypatch.setenv("TONGBAN_FILE_BYTES", "20000")
    return Files(store)


@pytest.fixture
def pieces(store):
    return store.collection("file_pieces").count


def test_files_come_back_piece_by_piece(files, pieces):
    numbers = random.Random(1)
    for size in (0, 1, 999, 1000, 1001, 20_000):
        data = numbers.randbytes(size)
        cuts = sorted(numbers.randrange(size + 1) for _ in range(5))
        parts = [data[start:end] for start, end in zip([0, *cuts], [*cuts, size], strict=True)]
        stored = files.put(parts, own=True)
        assert (stored.digest, stored.size) == (hashlib.sha256(data).hexdigest(), size)
        assert files.content(stored.digest) == data
        assert all(len(piece) <= 1000 for piece in files.read(stored.digest))
    before = pieces()
    assert files.put([data], own=True).digest == stored.digest
    assert pieces() == before, "the same content is stored once"
    with pytest.raises(NotFound):
        files.content("0" * 64)


def test_a_file_beyond_the_limit_or_broken_off_leaves_nothing(files, pieces, store):
    with pytest.raises(TooMuch) as problem:
        files.put(b"x" * 5000 for _ in range(10_000))
    assert problem.value.reason == "FILE_TOO_LARGE"

    def broken(problem):
        yield b"x" * 3500
        raise problem

    for problem in (ConnectionError("gone"), GeneratorExit(), KeyboardInterrupt()):
        with pytest.raises(type(problem)):
            files.put(broken(problem))
    assert pieces() == 0
    assert store.collection("files").count() == 0


def test_a_file_whose_record_may_have_been_written_keeps_its_pieces(files, pieces, monkeypatch):
    insert = files._files.insert

    def no_answer(record):
        insert(record)
        raise Unavailable("STORE_UNAVAILABLE", "稍后。")

    monkeypatch.setattr(files._files, "insert", no_answer)
    with pytest.raises(Unavailable):
        files.put([b"x" * 2500])
    monkeypatch.undo()
    again = files.put([b"x" * 2500])
    assert files.content(again.digest) == b"x" * 2500


def test_a_database_that_fails_midway_leaves_no_pieces(files, pieces, monkeypatch):
    insert, count = files._pieces.insert, []

    def third(record):
        insert(record)
        count.append(record)
        if len(count) == 3:
            raise Unavailable("STORE_UNAVAILABLE", "稍后。")

    monkeypatch.setattr(files._pieces, "insert", third)
    with pytest.raises(Unavailable):
        files.put([b"x" * 9000])
    assert pieces() == 0


def test_many_put_the_same_file_at_once(files, pieces):
    data = random.Random(2).randbytes(5000)
    with ThreadPoolExecutor(6) as pool:
        digests = set(pool.map(lambda _: files.put([data], own=True).digest, range(12)))
    assert len(digests) == 1
    assert pieces() == 5
    assert files.content(digests.pop()) == data
