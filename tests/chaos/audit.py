"""After a load: nothing that was acknowledged is lost, nothing was done twice. Read from the records themselves."""

from __future__ import annotations

import itertools
import re
import time
from collections import Counter
from typing import Any

import pymongo

from tests.chaos.honest import Notes, NotInTime

SECONDS = 60.0  # for what was acknowledged last to be published, taken in and shown
_NUMBER = re.compile(r"(.+)〔(\d+)〕(\d+)号")
# Acknowledged step → the line which it leaves in the course of the document or the delivery, once.
OUTGOING = {"create": "起草", "submit": "起草送审", "review": "审核", "sign off": "签发", "dispatch": "核发"}
INCOMING = {"sign for": "签收", "register": "登记"}


def audit(stack: Any, notes: Notes) -> dict[str, int]:
    """Raises AssertionError at the first thing lost or doubled; returns what was compared, by name."""
    with pymongo.MongoClient(stack.env["TONGBAN_MONGO_URI"], tz_aware=True) as store:
        _wait_until_quiet(store)
        counted = {
            "acknowledged writes": len(notes.written),
            "documents": _documents(store["tongban_documents"], notes),
            "deliveries": _deliveries(store["tongban_documents"], notes),
            "numbers": _numbers(store["tongban_documents"]),
            "bookings": _bookings(store["tongban_meetings"], notes),
            "tasks": _tasks(store["tongban_tasks"], notes),
            "to-dos": _todos(store),
        }
    assert counted["acknowledged writes"] > 0, "a load that wrote nothing proves nothing"
    return counted


def _wait_until_quiet(store: Any) -> None:
    """Until no service holds an event that it has not published, and the lists have taken in what was."""
    end, last = time.monotonic() + SECONDS, None
    while True:
        pending = sum(
            store[f"tongban_{name}"].pending.count_documents({})
            for name in ("documents", "meetings", "tasks")
        )
        owed = _owed(store)
        if not pending and owed == _listed(store) == last:
            return
        last = owed
        if time.monotonic() > end:
            raise NotInTime(f"{pending} intents pending; {_difference(owed, _listed(store))}")
        time.sleep(0.3)


def _documents(store: Any, notes: Notes) -> int:
    found = {
        record["_id"]: record
        for record in store.documents.find({"_id": {"$in": [one.record for one in notes.of("create")]}})
    }
    for step, line in OUTGOING.items():
        for one in notes.of(step):
            assert one.record in found, f"lost: document {one.record}"
            times = Counter(entry["action"] for entry in found[one.record]["course"])[line]
            assert times == 1, (
                f"{step} of {one.record} was acknowledged and stands {times} times in its course"
            )
    titles = Counter(
        record["elements"]["title"]
        for record in store.documents.find({"elements.title": {"$regex": "^关于连续办理"}})
    )
    asked = {one.answer["elements"]["title"] for one in notes.of("create")}
    doubled = {title: count for title, count in titles.items() if title in asked and count > 1}
    assert not doubled, f"made twice: {doubled}"
    return len(found)


def _deliveries(store: Any, notes: Notes) -> int:
    count = 0
    for one in notes.of("dispatch"):
        document = store.documents.find_one({"_id": one.record})
        units = [record["unit"] for record in store.deliveries.find({"document": one.record})]
        assert sorted(units) == sorted(document["units"]), (
            f"{one.record} was dispatched to {document['units']}, is at {units}"
        )
        count += len(units)
    for step, line in INCOMING.items():
        for one in notes.of(step):
            record = store.deliveries.find_one({"_id": one.record})
            assert record, f"lost: delivery {one.record}"
            times = Counter(entry["action"] for entry in record["course"])[line]
            assert times == 1, (
                f"{step} of {one.record} was acknowledged and stands {times} times in its course"
            )
    return count


def _numbers(store: Any) -> int:
    """Every series runs from 1 to its last number without gap or double."""
    given: dict[str, list[int]] = {}
    for record in store.documents.find({"number": {"$ne": ""}}, {"number": 1}):
        code, year, number = _NUMBER.fullmatch(record["number"]).groups()  # type: ignore[union-attr]
        given.setdefault(f"{code}|{year}", []).append(int(number))
    for record in store.deliveries.find({"incoming_number": {"$ne": ""}}, {"incoming_number": 1, "unit": 1}):
        _, year, number = _NUMBER.fullmatch(record["incoming_number"]).groups()  # type: ignore[union-attr]
        given.setdefault(f"incoming:{record['unit']}|{year}", []).append(int(number))
    for series in store.series.find():
        numbers = sorted(given.get(series["_id"], []))
        assert numbers == list(range(1, series["last"] + 1)), (
            f"{series['_id']}: {numbers}, last {series['last']}"
        )
    return sum(map(len, given.values()))


def _bookings(store: Any, notes: Notes) -> int:
    held = Counter()
    for day in store.room_days.find():
        spans = sorted((one["start"], one["end"], one["meeting"]) for one in day["bookings"])
        assert all(one[1] <= two[0] for one, two in itertools.pairwise(spans)), f"overlap: {day}"
        held.update(one["meeting"] for one in day["bookings"])
    asked = [one.record for one in notes.of("meeting")]
    assert len(asked) == len(set(asked)), "one meeting for two requests"
    kept = {record["_id"]: record for record in store.meetings.find({"_id": {"$in": asked}})}
    for meeting in asked:
        assert meeting in kept, f"lost: meeting {meeting}"
        assert held[meeting] == 1, f"meeting {meeting} holds {held[meeting]} bookings"
    return len(asked)


def _tasks(store: Any, notes: Notes) -> int:
    asked = [one.record for one in notes.of("task")]
    assert len(asked) == len(set(asked)), "one task for two requests"
    kept = {record["_id"]: record for record in store.tasks.find({"_id": {"$in": asked}})}
    assert set(kept) == set(asked), f"lost: tasks {set(asked) - set(kept)}"
    for one in notes.of("complete"):
        states = [part["state"] for part in kept[one.record]["assignments"]]
        assert states == ["done"], f"task {one.record} was completed and is {states}"
    return len(asked)


def _owed(store: Any) -> Counter[tuple[str, str]]:
    """(obligation, holder) of all that is open at the services which know of it: the origin of every to-do."""
    owed: Counter[tuple[str, str]] = Counter()
    documents, meetings, tasks = store["tongban_documents"], store["tongban_meetings"], store["tongban_tasks"]
    for kind in (documents.documents, documents.deliveries):
        for record in kind.find({}, {"items": 1}):
            owed.update(
                (f"documents|{record['_id']}|{item['id']}", item["holder"])
                for item in record["items"]
                if not item["outcome"]
            )
    for record in meetings.meetings.find({"state": "called"}):
        owed.update(
            (f"meetings|{record['_id']}|{one['number']}|{one['round']}", one["holder"])
            for one in record["invitations"]
            if one["state"] == "open"
        )
    for record in tasks.tasks.find({"state": "open"}):
        owed.update(
            (f"tasks|{record['_id']}|{one['number']}", one["holder"])
            for one in record["assignments"]
            if one["state"] == "open"
        )
    return owed


def _listed(store: Any) -> Counter[tuple[str, str]]:
    """(obligation, holder) of everything that stands in somebody's list, as often as it stands there."""
    listed: Counter[tuple[str, str]] = Counter()
    for record in store["tongban_tasks"].todo.find():
        listed.update((item["obligation"], record["id"].rpartition("#")[0]) for item in record["items"])
    return listed


def _todos(store: Any) -> int:
    owed, listed = _owed(store), _listed(store)
    assert owed == listed, _difference(owed, listed)
    return listed.total()


def _difference(owed: Counter[tuple[str, str]], listed: Counter[tuple[str, str]]) -> str:
    missing, stale = owed - listed, listed - owed
    return f"{len(missing)} owed and not listed: {list(missing)[:3]}; {len(stale)} listed and not owed: {list(stale)[:3]}"
