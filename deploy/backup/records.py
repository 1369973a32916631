"""The records of every service, read from a copy of the embedded database and written into an empty one."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import bson
import pymongo
from bson.codec_options import CodecOptions
from bson.raw_bson import RawBSONDocument

from deploy.backup.merkle import Tally
from deploy.backup.waiting import until
from deploy.local import engines
from deploy.local.cache import tools
from deploy.local.child import Child
from deploy.local.ports import LOOPBACK, Ports, free_block
from deploy.local.settings import Settings

PREFIX = "tongban_"
SECTION = "records/"
# A browser session that has ended since must not come to life again by a restore: everybody signs in anew.
LEFT_OUT = frozenset(f"tongban_gateway.{name}" for name in ("sessions", "logins", "tickets", "entries"))
_RAW: CodecOptions[RawBSONDocument] = CodecOptions(document_class=RawBSONDocument)
_BATCH_BYTES = 4 << 20
_READY_SECONDS = 120
_INDEX_FACTS = ("key", "name", "unique")


@contextlib.contextmanager
def served(folder: Path) -> Iterator[pymongo.MongoClient[Any]]:
    """A database process of our own over `folder`/mongo/records.mv, for as long as the context lasts."""
    with free_block() as base:
        settings = Settings(var=folder, base_port=base)
        process = Child(engines.spec("mongo", settings, tools()), folder / "logs")
        process.start()
        try:
            until(process.spec.ready, _READY_SECONDS, "The copy of the database cannot be opened; try again.")
            with client(
                f"mongodb://{LOOPBACK}:{Ports(settings).engine('mongo')}/?directConnection=true"
            ) as found:
                yield found
        finally:
            process.terminate()
            process.wait(15)
            process.kill()


def client(uri: str) -> pymongo.MongoClient[Any]:
    """A connection whose writes are durable before they are answered."""
    return pymongo.MongoClient(
        uri, serverSelectionTimeoutMS=20_000, socketTimeoutMS=300_000, w="majority", journal=True
    )


def sections(database: pymongo.MongoClient[Any]) -> list[str]:
    """Every collection to be kept, as "records/<database>.<collection>", sorted."""
    names = (name for name in database.list_database_names() if name.startswith(PREFIX))
    found = (
        f"{name}.{collection}" for name in names for collection in database[name].list_collection_names()
    )
    return sorted(SECTION + name for name in found if name not in LEFT_OUT)


def collection(database: pymongo.MongoClient[Any], section: str) -> Any:
    """The collection of a section."""
    name, _, kind = section.removeprefix(SECTION).partition(".")
    return database[name].get_collection(kind, codec_options=_RAW)


def indexes(source: Any) -> list[dict[str, Any]]:
    """The collection's indexes beside the one on `_id`, each as what `make_indexes` needs."""
    found = [{fact: index[fact] for fact in _INDEX_FACTS if fact in index} for index in source.list_indexes()]
    return [{**index, "key": list(index["key"].items())} for index in found if index["name"] != "_id_"]


def make_indexes(target: Any, wanted: list[dict[str, Any]]) -> None:
    """Make these indexes."""
    for index in wanted:
        keys = [(name, int(order)) for name, order in index["key"]]
        target.create_index(keys, name=index["name"], unique=index.get("unique", False))


def records(source: Any) -> Iterator[bytes]:
    """Every record as BSON in the order of its key, which makes equal collections equal sequences.

    Keys first, then records by key: a cursor over whole records would be held in the embedded database's memory at once.
    """
    keys = sorted((bson.decode(entry.raw)["_id"] for entry in source.find({}, {"_id": 1})), key=_order)
    at, size = 0, 8
    while at < len(keys):
        found = sorted(
            source.find({"_id": {"$in": keys[at : at + size]}}), key=lambda record: _order(record["_id"])
        )
        yield from (record.raw for record in found)
        at += size
        # Files lie in pieces of a megabyte, most records are small: so much at a time as makes a good message.
        average = max(1, sum(len(record.raw) for record in found) // max(1, len(found)))
        size = max(1, min(1000, _BATCH_BYTES // average))


def tally(source: Any) -> Tally:
    """The tally over a collection as it stands."""
    found = Tally()
    for record in records(source):
        found.add(record)
    return found


class Inserting:
    """Puts records of one collection after the other into an empty database, many at a time."""

    def __init__(self, database: pymongo.MongoClient[Any]) -> None:
        self._database = database
        self._section, self._waiting, self._size = "", list[RawBSONDocument](), 0

    def add(self, section: str, record: bytes) -> None:
        """Put one record in, sooner or later."""
        if section != self._section or self._size + len(record) > _BATCH_BYTES or len(self._waiting) >= 1000:
            self.flush()
        self._section = section
        self._waiting.append(RawBSONDocument(record))
        self._size += len(record)

    def flush(self) -> None:
        """Return once all are durable."""
        if self._waiting:
            collection(self._database, self._section).insert_many(self._waiting)
        self._waiting, self._size = [], 0


def _order(key: Any) -> bytes:
    return bson.encode({"": key})
