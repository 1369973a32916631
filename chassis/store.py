"""The only way to MongoDB: by key, compare-and-set, one record at a time.

A record is a dict with `_id`, `revision`, `schema` and `outbox`. No call here takes a filter, so none can scan. Every call either
holds durably (majority, journal) or raises. Errors of the driver become chassis.errors types.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator
from typing import Any

import pymongo
from bson.codec_options import CodecOptions
from pymongo import errors as driver

from chassis import context
from chassis.errors import Exists, TooMuch, Unavailable, changed_meanwhile, exists
from chassis.settings import Settings

Record = dict[str, Any]
_CODEC: CodecOptions[Record] = CodecOptions(tz_aware=True)
TAKEN = 11000  # DuplicateKey
DISK_FULL = 14031  # OutOfDiskSpace
TOO_LARGE = (10334, 17419, 17420)  # BSONObjectTooLarge; the record would have grown beyond 16 MB
MOST_KEYS = 1000  # asked for at once
PAGE = 200  # records of a scan that are in memory at once
PATIENCE = (
    3.0  # seconds that one question to the database may take within a call; a client asks up to four times
)
_DURABLE = pymongo.WriteConcern(w="majority", j=True, wtimeout=10_000)


@contextlib.contextmanager
def _typed() -> Iterator[None]:
    call = context.current()
    # A database that does not answer must not hold a thread for longer than somebody waits for the answer.
    # The driver would look for an absent server until the last moment, and nobody would be told in time.
    patience = min(max(call.left(), 0.05), PATIENCE)
    bounded = pymongo.timeout(patience) if call.deadline else contextlib.nullcontext()
    try:
        with bounded:
            yield
    except driver.DuplicateKeyError as problem:
        raise exists() from problem
    except (driver.ConnectionFailure, driver.ExecutionTimeout, driver.WriteConcernError) as problem:
        raise Unavailable(
            "STORE_UNAVAILABLE",
            "数据库暂时不可用，请稍后再试，已提交的内容不会丢失。",
            "The database does not answer.",
        ) from problem
    except (driver.OperationFailure, driver.DocumentTooLarge) as problem:
        code = _code(problem)
        if code == TAKEN:
            raise exists() from problem
        if code == DISK_FULL:
            raise Unavailable(
                "STORE_FULL", "存储空间已满，暂时不能保存，请联系系统管理员。", "The database's disk is full."
            ) from problem
        if code in TOO_LARGE:
            raise TooMuch("RECORD_TOO_LARGE", "内容过大，不能保存。", "The record is too large.") from problem
        raise


def _code(problem: Exception) -> int:
    """The database's number for what went wrong; of several changes at once, that of the first which did not hold."""
    if isinstance(problem, driver.BulkWriteError):
        first: dict[str, Any] = next(iter(problem.details.get("writeErrors", [])), {})
        return int(first.get("code", problem.code or 0))
    return int(getattr(problem, "code", TOO_LARGE[0]) or 0)


class Collection:
    """Records of one kind in one service's database."""

    def __init__(self, collection: Any) -> None:
        self._c = collection
        self._indexed: set[str] = set()

    def get(self, key: str) -> Record | None:
        """The record with this `_id`, or None."""
        with _typed():
            found: Record | None = self._c.find_one({"_id": key})
            return found

    def get_many(self, keys: Iterable[str]) -> dict[str, Record]:
        """The records that exist among these keys, by key."""
        return self._some(keys, None)

    def revisions(self, keys: Iterable[str]) -> dict[str, int]:
        """The revisions of the records that exist among these keys, by key; cheap, however large the records are."""
        return {key: record["revision"] for key, record in self._some(keys, ["revision"]).items()}

    def _some(self, keys: Iterable[str], fields: list[str] | None) -> dict[str, Record]:
        wanted = list(dict.fromkeys(keys))
        found: dict[str, Record] = {}
        for start in range(0, len(wanted), MOST_KEYS):
            with _typed():
                part = self._c.find({"_id": {"$in": wanted[start : start + MOST_KEYS]}}, fields)
                found |= {record["_id"]: record for record in part}
        return found

    def insert(self, record: Record) -> None:
        """Add a record.

        Raises Exists when the `_id` is taken.
        """
        if "revision" in record:
            self._ensure_index("revision")
        with _typed():
            self._c.insert_one(record)

    def insert_all(self, records: list[Record]) -> None:
        """Add several records in one write.

        Raises Exists when an `_id` is taken; the others may have been added then.
        """
        if any("revision" in record for record in records):
            self._ensure_index("revision")
        with _typed():
            self._c.insert_many(records, ordered=False)

    def save(self, record: Record, events: list[Record]) -> None:
        """Replace the record whose `_id` and `revision` are those of `record` and raise its revision by one.

        `events` are appended to the outbox in the same write; the outbox in `record` itself is ignored, so that what the relay
        took out meanwhile does not come back. Raises Conflict when the stored revision is another one.
        """
        self._ensure_index("revision")
        fields = {key: value for key, value in record.items() if key not in ("_id", "revision", "outbox")}
        change: Record = {"$set": {**fields, "revision": record["revision"] + 1}}
        if events:
            change["$push"] = {"outbox": {"$each": events}}
        with _typed():
            result = self._c.update_one({"_id": record["_id"], "revision": record["revision"]}, change)
        if result.matched_count != 1:
            raise changed_meanwhile()

    def published(self, events: dict[str, list[str]]) -> None:
        """Take these event ids (by key) out of the outboxes; the revisions stay, for nothing of the records' own changed."""
        changes = [
            pymongo.UpdateOne({"_id": key}, {"$pull": {"outbox": {"id": {"$in": ids}}}})
            for key, ids in events.items()
        ]
        if changes:
            with _typed():
                self._c.bulk_write(changes, ordered=False)

    def claim(self, key: str, holder: str, **facts: Any) -> str:
        """Take a unique place for ever or until release; return who holds it now (`holder`, or who was first)."""
        self._ensure_index("holder")
        with contextlib.suppress(Exists), _typed():
            self._c.insert_one({"_id": key, "holder": holder, **facts})
            return holder
        record = self.get(key)
        # Released between the two calls: the caller may try again.
        return record["holder"] if record else ""

    def release(self, key: str, holder: str) -> None:
        """Give a claimed place back, when it is still held by `holder`."""
        self._ensure_index("holder")
        with _typed():
            self._c.delete_one({"_id": key, "holder": holder})

    def put(self, record: Record) -> None:
        """Write a record whatever is there; only for what has one writer."""
        with _typed():
            self._c.replace_one({"_id": record["_id"]}, record, upsert=True)

    def remove(self, key: str) -> None:
        """Remove the record with this `_id`, if any."""
        with _typed():
            self._c.delete_one({"_id": key})

    def remove_many(self, keys: Iterable[str]) -> None:
        """Remove those of these records that exist."""
        gone = list(keys)
        if gone:
            with _typed():
                self._c.delete_many({"_id": {"$in": gone}})

    def scan(self) -> Iterator[Record]:
        """Every record, in the order of the database's keys; for maintenance and for small collections only.

        In pages by key, since the embedded database holds a cursor's records in its memory. What comes or goes meanwhile may be told
        or not; nothing is told twice.
        """
        after: Record = {}
        while True:
            with _typed():
                page = list(self._c.find(after).sort("_id", 1).limit(PAGE))
            yield from page
            if len(page) < PAGE:
                return
            after = {"_id": {"$gt": page[-1]["_id"]}}

    def count(self) -> int:
        """How many records there are, as the server estimates it."""
        with _typed():
            return int(self._c.estimated_document_count())

    def _ensure_index(self, field: str) -> None:
        # On the embedded database a filter on two fields without this index scans the whole collection (design §3).
        if field not in self._indexed:
            with _typed():
                self._c.create_index([("_id", 1), (field, 1)], unique=True)
            self._indexed.add(field)


class Store:
    """One service's database."""

    def __init__(self, settings: Settings) -> None:
        self._client: pymongo.MongoClient[Record] = pymongo.MongoClient(
            settings.mongo_uri,
            serverSelectionTimeoutMS=3000, connectTimeoutMS=3000, socketTimeoutMS=15000, maxPoolSize=50, tz_aware=True,
        )  # fmt: skip
        self._database = self._client.get_database(
            f"tongban_{settings.service}", codec_options=_CODEC, write_concern=_DURABLE
        )
        self._collections: dict[str, Collection] = {}

    def collection(self, name: str) -> Collection:
        """The records of one kind."""
        if name not in self._collections:
            self._collections[name] = Collection(self._database[name])
        return self._collections[name]

    def ping(self) -> None:
        """Return when the database answers.

        Raises Unavailable.
        """
        with _typed(), pymongo.timeout(3):
            self._database.command("ping")

    def version(self) -> str:
        """The database's version as it states it.

        Raises Unavailable.
        """
        with _typed(), pymongo.timeout(3):
            return str(self._database.command("buildInfo").get("version", ""))

    def close(self) -> None:
        """Give the connections back."""
        self._client.close()
