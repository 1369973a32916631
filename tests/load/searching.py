"""Import and search: the regulations and records made of their sentences, against SQLite's FTS5 on the same texts."""

from __future__ import annotations

import os
import sqlite3
import statistics
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from chassis.search import Index, Query, Reader
from chassis.search.bench import SCHEMA, WORDS, entries, regulations
from tests.load.measuring import Figure, Line, Servers, alone, percentile

TOKENS = {"trigrams": "trigram", "characters": "unicode61"}
COMPARED = (
    40_000  # the largest corpus on which FTS5 is measured as well: it takes minutes for ten times as many
)
READER = Reader(frozenset({"all", "p:p7", *(f"u:u{number}" for number in range(3))}), 2)
Lines = dict[tuple[str, str], list[float]]


def run(var: Path, *, sizes: tuple[int, ...]) -> list[Figure | Line]:
    """Figures at the largest size, and lines over all of them."""
    assert regulations(), "the regulations are not beside the repository (TONGBAN_REGULATIONS)"
    lines: Lines = {}
    last: list[Figure] = []
    for size in sizes:
        last = _at(var, size, lines)
    units = {"import": "documents per CPU-second", "search": "ms"}
    drawn = [
        Line(plot, name, units[plot], list(sizes[: len(values)]), values)
        for (plot, name), values in lines.items()
    ]
    return [*last, *drawn]


def _at(var: Path, size: int, lines: Lines) -> list[Figure]:
    folder = var / f"search-{size}"
    index = Index(folder, SCHEMA)
    bare = _cpu(lambda: sum(1 for _ in entries(size)))
    used = _cpu(lambda: index.rebuild(entries(size)))
    count = sum(1 for _ in entries(0)) + size
    rate = count / (used - bare)
    note = f"{count:,} documents"
    asked = _times([partial(index.search, Query(word, order="date"), READER) for word in WORDS * 10])
    ranked = _times([partial(index.search, Query(word, order="relevance"), READER) for word in WORDS * 10])
    first = _times([partial(index.search, Query(), READER)] * 100)
    deep = _times([_page(index, 20)] * 50)
    memory = Servers(os.getpid()).memory()
    for name, values in (
        ("import", rate),
        ("search, p95", percentile(asked, 0.95)),
        ("register page, p95", percentile(first, 0.95)),
    ):
        lines.setdefault(("import" if name == "import" else "search", name), []).append(values)
    figures = [
        alone("import", f"documents per CPU-second, {note}", [rate], "/s"),
        alone("search, p50", f"words by date, with rights and the number of all hits; {note}", [statistics.median(asked)], "ms"),
        alone("search, p95", "the same", [percentile(asked, 0.95)], "ms"),
        alone("search by relevance, p95", "the same", [percentile(ranked, 0.95)], "ms"),
        alone("register, first page, p95", "200 rows of what the reader may see, newest first", [percentile(first, 0.95)], "ms"),
        alone("register, page 20, p95", "the same", [percentile(deep, 0.95)], "ms"),
        alone("index on disk", note, [_bytes(folder) / 1e6], "MB"),
        alone("memory of the reader and writer", "this process, shared pages in part", [memory], "MB"),
    ]  # fmt: skip
    if size <= COMPARED:
        for name, tokens in TOKENS.items():
            _compared(var, size, name, tokens, lines)
    return figures + [
        Figure(f"FTS5 {name}: import", f"FTS5's documents per CPU-second / ours, {min(size, COMPARED):,} records", [_last(lines, "import", name) / _ours(lines, "import")])
        for name in TOKENS
    ] + [
        Figure(f"FTS5 {name}: search", "FTS5's p95 / ours, of the words that it can find", [_last(lines, "search", name) / _ours(lines, "search, p95")])
        for name in TOKENS
    ]  # fmt: skip


def _last(lines: Lines, plot: str, name: str) -> float:
    return lines[plot, f"FTS5 {name}"][-1]


def _ours(lines: Lines, name: str) -> float:
    """Our figure at the size at which FTS5 was measured last."""
    plot = "import" if name == "import" else "search"
    place = len(lines["import", "FTS5 trigrams"]) - 1
    return lines[plot, name][place]


def _compared(var: Path, size: int, name: str, tokens: str, lines: Lines) -> None:
    path = var / f"fts-{size}-{name}.db"
    base = sqlite3.connect(path)
    base.execute("PRAGMA journal_mode=WAL")
    base.execute(f"CREATE VIRTUAL TABLE t USING fts5(title, body, date UNINDEXED, tokenize='{tokens}')")
    spaced = tokens == "unicode61"

    def rows() -> Iterator[tuple[str, str, int]]:
        for entry in entries(size):
            title, body, date = (entry.values[field] for field in ("title", "body", "date"))
            yield (" ".join(title), " ".join(body), date) if spaced else (title, body, date)

    bare = _cpu(lambda: sum(1 for _ in rows()))

    def fill() -> None:
        with base:
            base.executemany("INSERT INTO t VALUES (?, ?, ?)", rows())

    count = sum(1 for _ in entries(0)) + size
    lines.setdefault(("import", f"FTS5 {name}"), []).append(count / (_cpu(fill) - bare))

    def search(word: str) -> None:
        phrase = f'"{" ".join(word) if spaced else word}"'
        base.execute("SELECT title FROM t WHERE t MATCH ? ORDER BY date DESC LIMIT 20", (phrase,)).fetchall()
        base.execute("SELECT count(*) FROM t WHERE t MATCH ?", (phrase,)).fetchone()

    # Three characters are the least that trigrams can find; most of our words have two.
    words = [word for word in WORDS if spaced or len(word) >= 3]
    found = _times([partial(search, word) for word in words * 10])
    lines.setdefault(("search", f"FTS5 {name}"), []).append(percentile(found, 0.95))
    base.close()
    path.unlink()


def _page(index: Index, number: int) -> Callable[[], object]:
    cursor = ""
    for _ in range(number):
        cursor = index.search(Query(after=cursor, size=200), READER).next or cursor
    return partial(index.search, Query(after=cursor, size=200), READER)


def _times(calls: list[Callable[[], object]]) -> list[float]:
    times = []
    for call in calls:
        started = time.perf_counter()
        call()
        times.append((time.perf_counter() - started) * 1000)
    return times


def _cpu(work: Callable[[], object]) -> float:
    """Seconds of this process' time, all threads."""
    before = time.process_time()
    work()
    return time.process_time() - before


def _bytes(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
