"""Aggregates ↔ records: load, compare-and-set.

A change is: write an intent into `pending`, save the record together with its new events, wake the relay (chassis.intents).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any, Generic, TypeVar

from cattrs.gen import make_dict_structure_fn, make_dict_unstructure_fn, override
from google.protobuf.message import Message

from chassis.aggregate import Aggregate, Request
from chassis.errors import Exists, changed_meanwhile, exists, not_found, too_busy
from chassis.intents import Intents
from chassis.outbox import envelope
from chassis.records import attempts, converter
from chassis.store import Record, Store

T = TypeVar("T", bound=Aggregate)

_converter = converter()
_converter.register_unstructure_hook_factory(
    lambda kind: isinstance(kind, type) and issubclass(kind, Aggregate),
    lambda kind: make_dict_unstructure_fn(
        kind, _converter, news=override(omit=True), id=override(rename="_id")
    ),
)
_converter.register_structure_hook_factory(
    lambda kind: isinstance(kind, type) and issubclass(kind, Aggregate),
    lambda kind: make_dict_structure_fn(
        kind, _converter, news=override(omit=True), id=override(rename="_id")
    ),
)


def anyone(_aggregate: object) -> None:
    """The access to a step that no record refuses: the platform's own (an event, a timer), or one about which WHO alone decides."""


class Repository(Generic[T]):
    """The aggregates of one kind.

    to_wire turns one domain event into the protobuf message that is published. `upcasts` maps an old schema number to the
    function that lifts such a record to the next number. `owners` gives the audience tokens of whose affair an aggregate is, for
    one organisation to be restored alone; none by default.
    """

    def __init__(
        self,
        store: Store,
        service: str,
        kind: type[T],
        collection: str,
        *,
        to_wire: Callable[[T, Any], Message] | None = None,
        schema: int = 1,
        upcasts: dict[int, Callable[[Record], Record]] | None = None,
        wake: Callable[[str], None] = lambda _intent: None,
        what: str = "内容",
        owners: Callable[[T], set[str]] = lambda _aggregate: set(),
    ) -> None:
        self.owners = owners
        self.collection = store.collection(collection)
        self.name = collection
        self._service = service
        self._kind = kind
        self._to_wire = to_wire
        self._schema = schema
        self._upcasts = upcasts or {}
        self._intents = Intents(store, collection, wake)
        self._what = what

    def find(self, key: str) -> T | None:
        """The aggregate with this id, or None."""
        record = self.collection.get(key)
        return self.load(record) if record else None

    def get(self, key: str) -> T:
        """The aggregate with this id.

        Raises NotFound.
        """
        found = self.find(key)
        if found is None:
            raise not_found(self._what)
        return found

    def get_many(self, keys: Iterable[str]) -> dict[str, T]:
        """Those of these ids that exist."""
        return {key: self.load(record) for key, record in self.collection.get_many(keys).items()}

    def scan(self) -> Iterator[T]:
        """Every aggregate; for maintenance only."""
        for record in self.collection.scan():
            yield self.load(record)

    def add(self, aggregate: T, request: Request) -> T:
        """Save a new aggregate; a repetition of the same request returns what it made the first time.

        Raises Exists when the id is taken by something else.
        """
        request.mark(aggregate)
        record, events = self._dump(aggregate)
        try:
            self._intents.around(
                {aggregate.id: 1}, lambda: self.collection.insert({**record, "revision": 1, "outbox": events})
            )
        except Exists:
            there = self.find(aggregate.id)
            if there is not None and request.seen(there):
                return there
            raise
        aggregate.revision = 1
        aggregate.news.clear()
        return aggregate

    def add_if_missing(self, aggregate: T, request: Request) -> T | None:
        """As `add`, but None when the id is taken, be it by somebody who was faster: what is there is then for the caller to change."""
        if self.find(aggregate.id) is not None:
            return None
        try:
            return self.add(aggregate, request)
        except Exists:
            return None

    def add_all(self, aggregates: list[tuple[T, Request]]) -> None:
        """Save new aggregates in two writes, however many they are; what a repetition finds there already stays as it is.

        Raises Exists when an id is taken by something else; then some of the others may have been saved.
        """
        there = self.get_many(aggregate.id for aggregate, _ in aggregates)
        if any(one.id in there and not request.seen(there[one.id]) for one, request in aggregates):
            raise exists()
        fresh = [(one, request) for one, request in aggregates if one.id not in there]
        records = []
        for aggregate, request in fresh:
            request.mark(aggregate)
            record, events = self._dump(aggregate)
            records.append({**record, "revision": 1, "outbox": events})
        if records:
            saves = {record["_id"]: 1 for record in records}
            self._intents.around(saves, lambda: self.collection.insert_all(records))
        for aggregate, _ in fresh:
            aggregate.revision = 1
            aggregate.news.clear()

    def change(self, key: str, request: Request, step: Callable[[T], Any], access: Callable[[T], Any]) -> T:
        """Apply `step` to the aggregate and save it; `step` may run several times, each on fresh data.

        `access` refuses, by raising, who has no right to the step: before anything of the aggregate shows, be it its revision or the
        answer to a repeated request. `anyone` is the access that refuses nobody.
        Raises NotFound; Conflict when the request's etag is not the present revision, or others were always faster; and
        whatever `step` raises, in which case nothing is changed.
        """
        for saving in attempts():
            aggregate = self.get(key)
            access(aggregate)
            if request.seen(aggregate):
                return aggregate
            if request.etag and request.etag != str(aggregate.revision):
                raise changed_meanwhile()
            step(aggregate)
            request.mark(aggregate)
            with saving:
                self._save(aggregate)
                return aggregate
        raise too_busy()

    def compare(self, old: Record) -> str:
        """How a record of an earlier time stands to what there is now: "missing", "same" or "differs"."""
        now = self.collection.get(old["_id"])
        return "missing" if now is None else "same" if _content(now) == _content(old) else "differs"

    def put_back(self, old: Record) -> None:
        """Put a record of an earlier time, a backup's, in the place of what there is now; the relay sees to the rest.

        What is there gets the old content under its own next revision and keeps its outbox. Raises Conflict when it changes meanwhile.
        """
        now = self.collection.get(old["_id"])
        if now is None:
            self._intents.around({old["_id"]: old["revision"]}, lambda: self.collection.insert(old))
            return
        record = {**old, "revision": now["revision"]}
        self._intents.around({old["_id"]: now["revision"] + 1}, lambda: self.collection.save(record, []))

    def _save(self, aggregate: T) -> None:
        record, events = self._dump(aggregate)
        self._intents.around(
            {aggregate.id: aggregate.revision + 1}, lambda: self.collection.save(record, events)
        )
        aggregate.revision += 1
        aggregate.news.clear()

    def _dump(self, aggregate: T) -> tuple[Record, list[Record]]:
        record = _converter.unstructure(aggregate, unstructure_as=self._kind)
        record["schema"] = self._schema
        if aggregate.news and self._to_wire is None:
            raise TypeError(f"{self._kind.__name__} tells events but its repository has no to_wire")
        events = [envelope(self._service, self._to_wire(aggregate, event)) for event in aggregate.news]  # type: ignore[misc]
        return record, events

    def load(self, record: Record) -> T:
        """The aggregate that a stored record describes, lifted to the present schema."""
        version = record.get("schema", 1)
        while version < self._schema:
            record = self._upcasts[version](record)
            version += 1
        return _converter.structure(record, self._kind)


def _content(record: Record) -> Record:
    """What a record says, without what only keeps its changes in order."""
    return {key: value for key, value in record.items() if key not in ("revision", "outbox", "applied")}
