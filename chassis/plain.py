"""Small records beside the aggregates: they tell no events, stand in no list, and many change them at once.

A to-do list or a room's day is of this kind. Saved by compare-and-set like everything, but without intent and outbox, since there is
nothing to publish; what such a record says must follow from aggregates, so that it can be put right from them.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from typing import Any, Generic, Protocol, TypeVar

import cattrs

from chassis.errors import Conflict, Exists
from chassis.store import Record, Store

ATTEMPTS = 80

_converter = cattrs.Converter()
_converter.register_structure_hook(datetime, lambda value, _: value)
_converter.register_unstructure_hook(datetime, lambda value: value)


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
        for attempt in range(ATTEMPTS):
            record = self._records.get(key)
            found = self._load(record) if record else self._fresh(key)
            answer = step(found)
            if not answer:
                return answer
            fields: Record = _converter.unstructure(found, unstructure_as=self._kind) | {
                "_id": key,
                "schema": 1,
            }
            try:
                if record:
                    self._records.save(fields | {"revision": record["revision"]}, [])
                else:
                    self._records.insert(fields | {"revision": 1})
            except (Conflict, Exists):
                time.sleep(random.uniform(0, min(0.002 * 2 ** min(attempt, 10), 0.1)))  # noqa: S311
                continue
            return answer
        raise Conflict("TOO_BUSY", "同时操作的人过多，请稍后再试。", "Too many concurrent changes.")

    def remove(self, key: str) -> None:
        """Remove a record that is not needed any more."""
        self._records.remove(key)

    def _load(self, record: Record) -> T:
        return _converter.structure(record | {"id": record["_id"]}, self._kind)
