"""What may be asked, by whom, and how that becomes a query of the engine; no query parser is involved."""

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import tantivy
from tantivy import FieldType, Occur

from chassis.search import text
from chassis.search.errors import InvalidQuery
from chassis.search.rights import Reader, rights, valid
from chassis.search.schema import NO_DATE, Schema

WORDS_LENGTH = 200
PHRASES = 16
VALUES = 1_000
PAGE = 200
_LEAST, _MOST = -(2**63), 2**63 - 1
_PHRASE = re.compile(r'"([^"]*)"|“([^”]*)”|([^\s"“]+)|["“]')


@dataclass(frozen=True)
class Query:
    """A question: a list is a query without words.

    words: what the user typed. Parts between spaces must all occur, each as a phrase; quotes make a phrase
    with spaces.
    must, without: field → values, of which an entry must have any, or none. Fields: keyword, number, date,
    id, level.
    since, until: bounds of the date in microseconds, since ≤ date < until.
    ranges: field → (since, until), the same for further date and number fields.
    order: "date" newest first, "date_up" oldest first, "relevance" best first.
    by: the date field meant by order, since and until; the schema's first when empty.
    after: `Page.next` of the page before, of the same question.
    size: hits to a page. facets: keyword fields whose values are to be counted.
    fields: text fields to search; all when empty.
    """

    words: str = ""
    must: Mapping[str, Sequence[str | int]] = field(default_factory=dict)
    without: Mapping[str, Sequence[str | int]] = field(default_factory=dict)
    since: int | None = None
    until: int | None = None
    ranges: Mapping[str, tuple[int | None, int | None]] = field(default_factory=dict)
    order: Literal["date", "date_up", "relevance"] = "date"
    by: str = ""
    after: str = ""
    size: int = 20
    facets: Sequence[str] = ()
    fields: Sequence[str] = ()

    @property
    def digest(self) -> str:
        """Name the question apart from page and facets; a cursor is good for one question only."""
        parts: list[object] = [self.words, self.since, self.until, self.order, self.by, sorted(self.fields)]
        filters: tuple[Mapping[str, Sequence[object]], ...] = (self.must, self.without, self.ranges)
        parts += [sorted((name, list(values)) for name, values in mapping.items()) for mapping in filters]
        return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:16]


Phrase = tuple[tuple[int, str], ...]


def phrases(words: str) -> list[Phrase]:
    """Split what a user typed into phrases of tokens, or raise `InvalidQuery`."""
    if not isinstance(words, str) or len(words) > WORDS_LENGTH:
        raise InvalidQuery(
            zh=f"查找内容不能超过{WORDS_LENGTH}个字。",
            en=f"Please search for at most {WORDS_LENGTH} characters.",
        )
    parts = (match[1] or match[2] or match[3] or "" for match in _PHRASE.finditer(words))
    found = list(dict.fromkeys(tuple(text.tokens(part)) for part in parts))
    found = [phrase for phrase in found if phrase]
    if len(found) > PHRASES:
        raise InvalidQuery(
            zh=f"一次最多查找{PHRASES}个词。", en=f"Please search for at most {PHRASES} words at a time."
        )
    if words.strip() and not found:
        raise InvalidQuery(
            zh="请输入要查找的文字或数字。", en="Please enter letters or digits to search for."
        )
    return found


def build(
    schema: Schema, engine: tantivy.Schema, query: Query, reader: Reader
) -> tuple[tantivy.Query, list[Phrase]]:
    """Make the engine's query, with the reader's rights in it, and give the phrases for highlighting."""
    found = phrases(query.words)
    clauses = [(Occur.Must, rights(engine, reader))]
    boosts = {
        item.name: item.boost
        for item in schema.of_kind("text")
        if not query.fields or item.name in query.fields
    }
    clauses += [(Occur.Must, phrase_query(engine, boosts, phrase)) for phrase in found]
    if query.order == "relevance":
        clauses += [
            (Occur.Should, tantivy.Query.term_query(engine, "_words", word, "freq"))
            for word in text.words(text.fold(query.words).text)
        ]
    for occur, mapping in ((Occur.Must, query.must), (Occur.MustNot, query.without)):
        clauses += [(occur, _any_of(schema, engine, name, values)) for name, values in mapping.items()]
    by = sort_field(schema, query)
    bounds = [(by, (query.since, query.until))] if (query.since, query.until) != (None, None) else []
    for name, (since, until) in [*bounds, *query.ranges.items()]:
        clauses.append((Occur.Must, _range(schema, engine, name, since, until)))
    return tantivy.Query.boolean_query(clauses), found


def phrase_query(
    engine: tantivy.Schema, boosts: Mapping[str, float], phrase: Phrase, *, prefix: bool = False
) -> tantivy.Query:
    """Make the query for a phrase in any of the fields; with `prefix`, its last token may go on."""
    make = tantivy.Query
    clauses: list[tuple[Occur, tantivy.Query]] = []
    for name, boost in boosts.items():
        if prefix:
            one = make.phrase_prefix_query(engine, name, list(phrase))
        elif len(phrase) == 1:
            one = make.term_query(engine, name, phrase[0][1], "freq")
        else:
            one = make.phrase_query(engine, name, list(phrase))
        clauses.append((Occur.Should, make.boost_query(one, boost) if boost != 1.0 else one))
    return make.boolean_query(clauses)


def all_of(*queries: tantivy.Query) -> tantivy.Query:
    """Make the query that asks for all of these."""
    return tantivy.Query.boolean_query([(Occur.Must, query) for query in queries])


def sort_field(schema: Schema, query: Query) -> str:
    """Give the date field that orders the list."""
    by = query.by or schema.of_kind("date")[0].name
    if schema.kinds.get(by) != "date":
        raise InvalidQuery(f"not a date field: {by!r:.100}")
    return by


def check(schema: Schema, query: Query) -> None:
    """Refuse what no index could answer."""
    if query.order not in ("date", "date_up", "relevance"):
        raise InvalidQuery(f"not an order: {query.order!r:.100}")
    if not isinstance(query.size, int) or not 1 <= query.size <= PAGE:
        raise InvalidQuery(f"size must be from 1 to {PAGE}: {query.size!r:.100}")
    if unknown := [name for name in query.facets if schema.kinds.get(name) != "keyword" or name == "id"]:
        raise InvalidQuery(f"not keyword fields: {unknown!r:.100}")
    if unknown := [name for name in query.fields if schema.kinds.get(name) != "text"]:
        raise InvalidQuery(f"not text fields: {unknown!r:.100}")
    if query.order == "relevance" and not query.words.strip():
        raise InvalidQuery(
            zh="按相关度排序时请输入查找内容。", en="Sorting by relevance needs words to search for."
        )


def _any_of(schema: Schema, engine: tantivy.Schema, name: str, values: Sequence[str | int]) -> tantivy.Query:
    kind = schema.kinds.get(name)
    if kind not in ("keyword", "number", "date") or isinstance(values, str) or len(values) > VALUES:
        raise InvalidQuery(f"cannot filter by {name!r:.100} with {values!r:.100}")
    for value in values:
        if kind == "keyword":
            valid(value)
        else:
            _bound(value)
    return tantivy.Query.const_score_query(tantivy.Query.term_set_query(engine, name, list(values)), 0.0)


def _range(
    schema: Schema, engine: tantivy.Schema, name: str, since: int | None, until: int | None
) -> tantivy.Query:
    """Make the clause since ≤ value < until. An entry without the date is in no range of it."""
    kind = schema.kinds.get(name)
    if kind not in ("date", "number"):
        raise InvalidQuery(f"not a date or number field: {name!r:.100}")
    most = NO_DATE if kind == "date" else _MOST
    low, high = (
        default if value is None else _bound(value) for value, default in ((since, _LEAST), (until, most))
    )
    if low >= high:
        return tantivy.Query.empty_query()
    return span(engine, name, low, min(high, most))


def span(engine: tantivy.Schema, name: str, low: int, high: int) -> tantivy.Query:
    """Make the clause low ≤ value < high, which adds nothing to the score."""
    query = tantivy.Query.range_query(
        engine, name, FieldType.Integer, low, high, include_lower=True, include_upper=False
    )
    return tantivy.Query.const_score_query(query, 0.0)


def _bound(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not _LEAST <= value <= _MOST:
        raise InvalidQuery(f"not a 64-bit integer: {value!r:.100}")
    return value
