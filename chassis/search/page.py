"""Cutting one page out of what a query finds: order, cursor, snippets, facets."""

import base64
import binascii
import hashlib
import hmac
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import tantivy
from tantivy import Order

from chassis.search import query as asking
from chassis.search.document import unpack, unpack_text
from chassis.search.errors import InvalidQuery
from chassis.search.folder import engine_errors
from chassis.search.query import Phrase, Query, all_of, build, sort_field, span
from chassis.search.rights import Reader
from chassis.search.schema import Schema
from chassis.search.snippet import Snippet, highlight

RELEVANT = 1_000
"""Pages by relevance end here: ranks shift as entries come in, so this order can not be paged for ever."""

FACET_VALUES = 200
"""The most frequent values of a facet that are given."""

_LEAST, _MOST = -(2**63), 2**63 - 1
_SIGNATURE = 12


@dataclass(frozen=True)
class Hit:
    """One entry found.

    `score` is None unless ordered by relevance; `snippets` are of the fields in which words were found.
    """

    id: str
    revision: int
    stored: Mapping[str, Any]
    score: float | None
    snippets: Mapping[str, Snippet]


@dataclass(frozen=True)
class Page:
    """An answer.

    total: of the whole question; facets: field → (value, count), most frequent first;
    next: the cursor for `Query.after`, "" at the end.
    """

    hits: list[Hit]
    total: int
    facets: dict[str, list[tuple[str, int]]]
    next: str


class Snapshot(NamedTuple):
    """One state of the index, and the engine's schema that queries on it are built with."""

    searcher: tantivy.Searcher
    engine: tantivy.Schema


class _Found(NamedTuple):
    """A document and its place in the order."""

    date: int
    tie: int
    address: tantivy.DocAddress


def cut(schema: Schema, snapshot: Snapshot, query: Query, reader: Reader, key: Callable[[], bytes]) -> Page:
    """Answer a checked query from one state of the index; `key` gives what cursors are signed with."""
    searcher = snapshot.searcher
    built, phrases = build(schema, snapshot.engine, query, reader)
    place = _read_cursor(query, key) if query.after else None
    with engine_errors():
        facets = _facets(searcher, built, query)
        hits: list[Hit] = []
        if query.order == "relevance":
            offset = place[0] if place else 0
            limit = min(query.size, RELEVANT - offset)
            result = searcher.search(built, limit, offset=offset)
            total = _count(result)
            hits = [_hit(searcher, address, phrases, query, score) for score, address in result.hits]
            following = [offset + limit, 0] if offset + limit < min(total, RELEVANT) else None
        else:
            by = sort_field(schema, query)
            total = _count(searcher.search(built, 1, order_by_field=by))
            found = _in_order(snapshot, built, by, query, place)
            hits = [_hit(searcher, item.address, phrases, query, None) for item in found[: query.size]]
            last = found[query.size - 1] if len(found) > query.size else None
            following = [last.date, last.tie] if last else None
    return Page(hits, total, facets, _write_cursor(query, key, following) if following else "")


def _count(result: tantivy.SearchResult) -> int:
    # The engine's type stubs leave this attribute out.
    return int(result.count)  # type: ignore[attr-defined]


def _in_order(
    snapshot: Snapshot, built: tantivy.Query, by: str, query: Query, place: list[int] | None
) -> list[_Found]:
    """Give the documents after `place` in the order of (date, tie), one more than the page needs.

    The engine orders by one field. So the page is put together of what is left of the date where the last
    page ended, of whole dates after it, and of the beginning of the date at which this page ends.
    """
    searcher, engine = snapshot
    newest_first = query.order == "date"
    wanted = query.size + 1
    found: list[_Found] = []

    def of_date(date: int, after: int, limit: int) -> list[_Found]:
        clauses = [built, tantivy.Query.term_query(engine, by, date)]
        if after >= 0:
            clauses.append(span(engine, "_tie", after + 1, _MOST))
        hits = searcher.search(
            all_of(*clauses), limit, count=False, order_by_field="_tie", order=Order.Asc
        ).hits
        return [_Found(date, tie, address) for tie, address in hits]

    rest = built
    if place:
        date, tie = place
        found = of_date(date, tie, wanted)
        beyond = span(engine, by, _LEAST, date) if newest_first else span(engine, by, date + 1, _MOST)
        rest = all_of(built, beyond)
    if len(found) < wanted:
        limit = wanted - len(found)
        hits = searcher.search(
            rest, limit, count=False, order_by_field=by, order=Order.Desc if newest_first else Order.Asc
        ).hits
        ties = searcher.fast_field_values("_tie", [address for _, address in hits])
        more = [_Found(date, int(tie or 0), address) for (date, address), tie in zip(hits, ties, strict=True)]
        if len(more) == limit:
            edge = more[-1].date
            more = [item for item in more if item.date != edge]
            more += of_date(edge, -1, limit - len(more))
        found += sorted(more, key=lambda item: (-item.date if newest_first else item.date, item.tie))
    return found


def _facets(
    searcher: tantivy.Searcher, built: tantivy.Query, query: Query
) -> dict[str, list[tuple[str, int]]]:
    if not query.facets:
        return {}
    # Each segment gives all of its values, because counts added up from the most frequent ones only would
    # be too low.
    asked = {
        name: {"terms": {"field": name, "size": FACET_VALUES, "segment_size": 60_000}}
        for name in query.facets
    }
    counted = searcher.aggregate(built, asked)
    return {
        name: sorted(
            ((bucket["key"], bucket["doc_count"]) for bucket in counted[name]["buckets"]),
            key=lambda one: (-one[1], one[0]),
        )
        for name in query.facets
    }


def _hit(
    searcher: tantivy.Searcher,
    address: tantivy.DocAddress,
    phrases: list[Phrase],
    query: Query,
    score: float | None,
) -> Hit:
    document = searcher.doc(address)
    record = unpack(document)
    snippets = {}
    if phrases:
        for name, content in unpack_text(document).items():
            if (not query.fields or name in query.fields) and (snippet := highlight(content, phrases)):
                snippets[name] = snippet
    return Hit(record.id, record.revision, record.stored, score, snippets)


def _write_cursor(query: Query, key: Callable[[], bytes], place: list[int]) -> str:
    content = json.dumps(place).encode()
    return base64.urlsafe_b64encode(_sign(query, key, content) + content).decode().rstrip("=")


def _read_cursor(query: Query, key: Callable[[], bytes]) -> list[int]:
    """Give the place of a cursor; raises `InvalidQuery` if it was altered or is another question's."""
    refused = InvalidQuery(
        "bad cursor",
        zh="翻页位置已失效，请从第一页重新查看。",
        en="This page link is not valid. Please start again from the first page.",
    )
    if not isinstance(query.after, str) or len(query.after) > asking.WORDS_LENGTH:
        raise refused
    try:
        raw = base64.b64decode(query.after + "=" * (-len(query.after) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError) as error:
        raise refused from error
    signature, content = raw[:_SIGNATURE], raw[_SIGNATURE:]
    if not hmac.compare_digest(signature, _sign(query, key, content)):
        raise refused
    place: list[int] = json.loads(content)
    return place


def _sign(query: Query, key: Callable[[], bytes], content: bytes) -> bytes:
    return hmac.digest(key(), query.digest.encode() + content, hashlib.sha256)[:_SIGNATURE]
