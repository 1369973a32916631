"""Small records beside the aggregates: they tell no events, stand in no list, and many change them at once.

A to-do list or a room's day is of this kind. Saved by compare-and-set like everything, but without intent and outbox, since there is
nothing to publish; what such a record says must follow from aggregates, so that it can be put right from them.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Generic, Protocol, TypeVar

from chassis.errors import too_busy
from chassis.records import attempts, converter
from chassis.store import Record, Store

_converter = converter()


class HasId(Protocol):
    """A dataclass with the field `id`."""

    id: str


T = TypeVar("T", bound=HasId)


class PlainRecords(Generic[T]):
    """Records of one dataclass, by `id`. `fresh` makes the record of an id that has none yet."""

    def __init__(self, store: Store, collection: str, kind: type[T], fresh: Callable[[str], T]) -> None:
        self._records = store.collection(collection)
        self._kind = kind
        self._fresh = fresh

    def get_many(self, keys: Iterable[str]) -> dict[str, T]:
        """Those of these ids that exist."""
        return {key: self._load(record) for key, record in self._records.get_many(keys).items()}

    def scan(self) -> Iterator[T]:
        """Every record; for small collections and maintenance only."""
        for record in self._records.scan():
            yield self._load(record)

    def change(self, key: str, step: Callable[[T], Any]) -> Any:
        """Apply `step` to the record, which is begun when it is not there, and save it; returns what `step` returned.

        A falsy answer means that nothing changed, and nothing is saved. `step` may run several times, each on fresh data; what it
        raises leaves the record as it was. Raises Conflict when others were always faster.
        """
        for saving in attempts():
            record = self._records.get(key)
            found = self._load(record) if record else self._fresh(key)
            answer = step(found)
            if not answer:
                return answer
            fields: Record = _converter.unstructure(found, unstructure_as=self._kind) | {
                "_id": key,
                "schema": 1,
            }
            with saving:
                if record:
                    self._records.save(fields | {"revision": record["revision"]}, [])
                else:
                    # Removed and begun anew, it must not come to a revision that somebody remembers.
                    self._records.insert(fields | {"revision": time.time_ns() // 1000})
                return answer
        raise too_busy()

    def remove(self, key: str) -> None:
        """Remove a record that is not needed any more."""
        self._records.remove(key)

    def _load(self, record: Record) -> T:
        return _converter.structure(record | {"id": record["_id"]}, self._kind)


class RememberedRecords(PlainRecords[T]):
    """Records that are read far more often than they change.

    `get_many` asks the database for revisions first, and for those records only whose revision is not the one that it read last:
    it is as fresh as without. It keeps up to `most` records, and what it returns is shared: nobody may change it.
    """

    def __init__(
        self, store: Store, collection: str, kind: type[T], fresh: Callable[[str], T], most: int
    ) -> None:
        super().__init__(store, collection, kind, fresh)
        self._most = most
        self._kept: OrderedDict[str, tuple[int, T]] = OrderedDict()
        self._lock = threading.Lock()

    def get_many(self, keys: Iterable[str]) -> dict[str, T]:
        """Those of these ids that exist."""
        revisions = self._records.revisions(keys)
        with self._lock:
            known = {key: self._kept[key] for key in revisions if key in self._kept}
        found = {key: one for key, (revision, one) in known.items() if revision == revisions[key]}
        read = self._records.get_many(revisions.keys() - found.keys())
        newer = {key: (int(record["revision"]), self._load(record)) for key, record in read.items()}
        with self._lock:
            self._kept |= newer
            for key in revisions.keys() & self._kept.keys():
                self._kept.move_to_end(key)
            while len(self._kept) > self._most:
                self._kept.popitem(last=False)
        return found | {key: one for key, (_, one) in newer.items()}
