"""Questions: filters, order, pages, cursors, facets, snippets, and what is refused."""

import random
import threading
import time

import pytest

from chassis.search import Index, InvalidQuery, Query, Reader
from chassis.search.schema import NO_DATE
from chassis.search.tests.helpers import ALL, entry


def ids(index: Index, query: Query) -> list[str]:
    """Give the ids on the page asked for."""
    return [hit.id for hit in index.search(query, ALL).hits]


@pytest.fixture
def few(index: Index) -> Index:
    """Give an index of five entries."""
    with index.writer() as writer:
        writer.put(
            [
                entry(
                    "a",
                    "关于环境卫生的通知",
                    "大府办发〔2026〕12号",
                    unit=["环保局", "城管局"],
                    date=3,
                    due=30,
                    pages=1,
                ),
                entry(
                    "b",
                    "环境、卫生工作要点",
                    "张　伟，ＧＢ／Ｔ 33190—2016",
                    unit="环保局",
                    date=1,
                    due=10,
                    pages=2,
                ),
                entry("c", "卫生环境", ["第一份附件：环", "境"], unit="教育局", date=2, level=2, pages=3),
                entry("d", "Red Hat Linux", "the red\that", date=5, due=20, unit=""),
                entry("e", "其他", "2026年第112号", date=4, pages=12),
            ]
        )
    return index


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("环境卫生", "a"),
        ("环境 卫生", "abc"),
        ("“环境 卫生”", "a"),
        ("环境、卫生", "b"),
        ("〔2026〕12号", "a"),
        ("（2026）12号", "a"),
        ("2026 12号", "a"),
        ("2026 12", "a"),
        ("112号", "e"),
        ("12号", "a"),
        ("大府办发〔2026〕１２号", "a"),
        ("张伟", "b"),
        ("gb/t 33190", "b"),
        ("2016", "b"),
        ("RED HAT", "d"),
        ('"red hat"', "d"),
        ('"hat red"', ""),
        ("附件环", ""),
        ("re", ""),
        ("通知 通知 通知", "a"),
        ("要点张", ""),
        ('"环境', "abc"),
        ("《环境》", "abc"),
        ("", "abcde"),
        ("  ", "abcde"),
    ],
)
def test_words(few: Index, words: str, expected: str) -> None:
    """What a clerk types, and what is found."""
    assert sorted(ids(few, Query(words))) == list(expected)


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        (Query(), "deacb"),
        (Query(order="date_up"), "bcaed"),
        (Query(by="due", order="date_up"), "bda"),
        (Query(must={"unit": ["环保局"]}), "ab"),
        (Query(must={"unit": ["城管局", "教育局"]}), "ac"),
        (Query(must={"unit": []}), ""),
        (Query(without={"unit": ["环保局"]}), "dec"),
        (Query(without={"unit": []}), "deacb"),
        (Query(must={"pages": [1, 12]}), "ea"),
        (Query(must={"level": [2]}), "c"),
        (Query(must={"id": ["a", "zz"]}), "a"),
        (Query(since=2, until=4), "ac"),
        (Query(since=4, until=4), ""),
        (Query(ranges={"due": (None, 21)}), "db"),
        (Query(ranges={"due": (11, None)}), "da"),
        (Query(ranges={"pages": (2, None), "date": (None, 4)}), "cb"),
        (Query("环境", fields=["body"]), ""),
        (Query("2026", fields=["body"]), "ea"),
        (Query("2026", fields=["title"]), ""),
    ],
)
def test_filters_and_order(few: Index, query: Query, expected: str) -> None:
    """Lists are searches without words; an entry without a date comes last when the soonest is first."""
    found = "".join(ids(few, query))
    assert found[: len(expected)] == expected
    assert len(found) == len(expected) or (query.by == "due" and sorted(found[3:]) == ["c", "e"])


def test_an_entry_without_a_date_comes_last(few: Index) -> None:
    """And a range never holds it, whatever its bounds."""
    assert set(ids(few, Query(by="due", order="date_up"))[3:]) == {"c", "e"}
    assert set(ids(few, Query(ranges={"due": (0, NO_DATE + 5)}))) == {"a", "b", "d"}


def test_facets_and_totals(few: Index) -> None:
    """Counts are of the whole question, not of the page, and under the reader's rights."""
    page = few.search(Query(size=1, facets=["unit"]), ALL)
    assert page.total == 5
    assert page.facets == {"unit": [("环保局", 2), ("城管局", 1), ("教育局", 1)]}
    page = few.search(Query(size=1, facets=["unit"]), Reader(frozenset({"all"}), 1))
    assert page.total == 4
    assert page.facets == {"unit": [("环保局", 2), ("城管局", 1)]}


def test_snippets_give_ranges(index: Index) -> None:
    """Offsets are into the snippet's text, which is the original's, also where folding changes lengths."""
    with index.writer() as writer:
        writer.put([entry("a", "①㎡№５ Ａ４纸", "前" * 500 + "。№ 张　伟与李四，" + "后" * 500 + "张伟")])
    hit = index.search(Query("张伟 李四 a4纸"), ALL).hits[0]
    title, body = hit.snippets["title"], hit.snippets["body"]
    assert [title.text[start:end] for start, end in title.ranges] == ["Ａ４纸"]
    assert [body.text[start:end] for start, end in body.ranges] == ["张　伟", "李四"]
    assert 100 < len(body.text) < 140


def test_pages_while_entries_come_in(index: Index) -> None:
    """Each entry that was there from the start comes exactly once while others of the same dates come in."""
    rng = random.Random(5)
    first = {f"e{number}" for number in range(500)}
    stop = threading.Event()
    with index.writer() as writer:
        writer.put([entry(name, "通知", date=rng.randrange(6)) for name in first])
        writer.commit()

        def add() -> None:
            number = 0
            while not stop.is_set():
                number += 10
                writer.put([entry(f"n{number + more}", "通知", date=rng.randrange(6)) for more in range(10)])
                writer.commit()

        adding = threading.Thread(target=add)
        adding.start()
        try:
            for query in (Query(size=7), Query(size=40, order="date_up"), Query("通知", size=13)):
                got: list[str] = []
                cursor = ""
                while True:
                    page = index.search(Query(**{**query.__dict__, "after": cursor}), ALL)
                    got += [hit.id for hit in page.hits]
                    time.sleep(0.005)
                    if not (cursor := page.next):
                        break
                assert len(got) == len(set(got))
                assert first <= set(got)
        finally:
            stop.set()
            adding.join()
    assert index.search(Query(), ALL).total > 600


def test_a_cursor_cannot_be_made_up(few: Index) -> None:
    """One altered in any character, of another question, or made up is refused in both languages."""
    query = Query(size=2)
    cursor = few.search(query, ALL).next
    assert ids(few, Query(size=2, after=cursor)) == ["a", "c"]
    assert ids(Index(few._folder.path, few.schema), Query(size=3, after=cursor)) == ["a", "c", "b"]
    altered = [
        cursor[:place] + ("A" if cursor[place] != "A" else "B") + cursor[place + 1 :]
        for place in range(len(cursor) - 1)
    ]
    for bad in [*altered, cursor[:-3], cursor * 20, "x", "!!", "é", "\ud800", "W10", cursor + "AAAA"]:
        with pytest.raises(InvalidQuery) as raised:
            few.search(Query(size=2, after=bad), ALL)
        assert "页" in raised.value.zh
        assert "page" in raised.value.en
    with pytest.raises(InvalidQuery):
        few.search(Query("环境", size=2, after=cursor), ALL)


@pytest.mark.parametrize(
    "query",
    [
        Query("字" * 201),
        Query(" ".join(f"词{number}" for number in range(17))),
        Query("，。！"),
        Query(7),  # type: ignore[arg-type]
        Query(size=0),
        Query(size=201),
        Query(size="9"),  # type: ignore[arg-type]
        Query(order="rank"),  # type: ignore[arg-type]
        Query(order="relevance"),
        Query(by="title"),
        Query(by="nothing"),
        Query(facets=["date"]),
        Query(facets=["_rights"]),
        Query(facets=["id"]),
        Query(fields=["unit"]),
        Query(must={"_rights": ["live"]}),
        Query(must={"readers": ["all"]}),
        Query(must={"title": ["x"]}),
        Query(must={"unit": "环保局"}),
        Query(must={"unit": [5]}),
        Query(must={"unit": [{"$ne": 1}]}),  # type: ignore[list-item]
        Query(must={"unit": ["\ud800"]}),
        Query(must={"unit": ["x"] * 1001}),
        Query(must={"pages": ["1"]}),
        Query(must={"pages": [True]}),
        Query(must={"pages": [2**70]}),
        Query(since=2**70),
        Query(until="x"),  # type: ignore[arg-type]
        Query(ranges={"unit": (1, 2)}),
    ],
)
def test_bad_questions_are_refused(few: Index, query: Query) -> None:
    """Each with a sentence in Chinese and in English, never with an error of the engine."""
    with pytest.raises(InvalidQuery) as raised:
        few.search(query, ALL)
    assert raised.value.zh
    assert raised.value.en
