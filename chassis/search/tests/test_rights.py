"""Nothing that a reader may not see shows, in whatever way one asks. # check 22"""

import tempfile
from collections import Counter

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chassis.search import Entry, Index, InvalidQuery, Query, Reader
from chassis.search.tests.helpers import SCHEMA, entry

TOKENS = ["all", "u:a", "u:b", "p:1", "p:2", "live", "u:a@3"]
UNITS = ["财政局", "教育局", "u:a"]
phrases = st.text(alphabet="甲乙丙丁", min_size=1, max_size=3)
corpora = st.lists(
    st.builds(
        lambda readers, level, title, body, units, date: {
            "readers": tuple(readers),
            "level": level,
            "title": title,
            "body": body,
            "unit": units,
            "date": date,
        },
        st.sets(st.sampled_from(TOKENS), max_size=3),
        st.integers(0, 4),
        phrases,
        st.text(alphabet="甲乙丙丁，", max_size=8),
        st.lists(st.sampled_from(UNITS), unique=True),
        st.integers(-2, 2),
    ),
    max_size=25,
)
readers = st.builds(Reader, st.frozensets(st.sampled_from(TOKENS), max_size=4), st.integers(-1, 12))
queries = st.builds(
    Query,
    words=st.lists(phrases, max_size=2).map(" ".join),
    must=st.dictionaries(st.just("unit"), st.lists(st.sampled_from(UNITS), max_size=2)),
    without=st.dictionaries(st.just("unit"), st.lists(st.sampled_from(UNITS), max_size=1)),
    since=st.none() | st.integers(-2, 2),
    until=st.none() | st.integers(-2, 3),
    order=st.sampled_from(["date", "date_up", "relevance"]),
    size=st.integers(1, 7),
    facets=st.just(("unit",)),
)


def allowed(one: Entry, reader: Reader) -> bool:
    """State the rule once more, apart from the code."""
    return bool(set(one.readers) & reader.tokens) and one.level <= reader.clearance


def matches(one: Entry, query: Query) -> bool:
    """Tell by brute force whether an entry is among the answers."""
    texts = [one.values["title"], *one.values["body"].split("，")]
    units, date = set(one.values["unit"]), one.values["date"]
    return (
        all(any(word in piece for piece in texts) for word in query.words.split())
        and all(units & set(values) for values in query.must.values())
        and not any(units & set(values) for values in query.without.values())
        and (query.since is None or date >= query.since)
        and (query.until is None or date < query.until)
    )


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(corpora, st.lists(st.tuples(queries, readers, phrases), min_size=30, max_size=30))
def test_a_reader_gets_all_that_is_allowed_and_nothing_else(
    corpus: list[dict[str, object]], asked: list[tuple[Query, Reader, str]]
) -> None:
    """1,200 random questions are answered just as over the allowed entries alone, in all parts. # check 22"""
    entries = {
        f"e{number}": entry(f"e{number}", row={"number": number}, **values)
        for number, values in enumerate(corpus)
    }
    with tempfile.TemporaryDirectory() as folder:
        index = Index(folder, SCHEMA)
        index.rebuild(entries.values())
        for query, reader, prefix in asked:
            suggested = index.suggestions(prefix, reader, size=100)
            visible = {one.values["title"] for one in entries.values() if allowed(one, reader)}
            assert sorted(suggested) == sorted(title for title in visible if prefix in title)
            expected = {name for name, one in entries.items() if allowed(one, reader) and matches(one, query)}
            got: list[str] = []
            cursor = ""
            while True:
                try:
                    page = index.search(Query(**{**query.__dict__, "after": cursor}), reader)
                except InvalidQuery:
                    assert (query.order, query.words) == ("relevance", "")
                    expected = set()
                    break
                assert page.total == len(expected)
                assert dict(page.facets["unit"]) == Counter(
                    unit for name in expected for unit in entries[name].values["unit"]
                )
                for hit in page.hits:
                    assert hit.stored == {"row": {"number": int(hit.id[1:])}}
                    for name, snippet in hit.snippets.items():
                        assert snippet.text in entries[hit.id].values[name]
                        assert {snippet.text[start:end] for start, end in snippet.ranges} or not query.words
                got += [hit.id for hit in page.hits]
                if not (cursor := page.next):
                    break
            assert len(got) == len(set(got))
            assert set(got) == expected
            if query.order != "relevance":
                dates = [entries[name].values["date"] for name in got]
                assert dates == sorted(dates, reverse=query.order == "date")


def test_everything_is_asked_for_by_name(index: Index) -> None:
    """Only `Reader.everything` sees an entry without readers; tokens like the inner term do not help."""
    with index.writer() as writer:
        writer.put([entry("secret", "机密", readers=(), level=4)])
        writer.commit()
    assert index.search(Query(), Reader.everything()).total == 1
    for tokens in ({"live"}, {"everything"}, {"*"}, {"@4"}, set()):
        assert (
            index.search(Query(must={"id": ["secret"]}, facets=["unit"]), Reader(frozenset(tokens), 9)).total
            == 0
        )
