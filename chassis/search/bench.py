"""Measure indexing and searching: `python -m chassis.search.bench [records]` prints one JSON object.

Corpus: the regulations, if they can be found, and as many generated records, each made of sentences out of
them.
"""

import json
import os
import random
import resource
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Literal

from chassis.search import Entry, Field, Index, Query, Reader, Schema, SearchError

SCHEMA = Schema(
    (
        Field("title", "text", boost=3),
        Field("body", "text"),
        Field("unit", "keyword"),
        Field("date", "date"),
        Field("row", "stored"),
    )
)
WORDS = ["环境", "消防", "个体工商户", "行政处罚", "国务院", "法律责任", "第三条", "596号", "注册资本", "的"]
_DAY = 86_400_000_000


def regulations() -> Path | None:
    """Give the regulations' folder, from TONGBAN_REGULATIONS or beside the repository; None if absent."""
    default = Path(__file__).parents[3] / "shared" / "data" / "regulations"
    folder = Path(os.environ.get("TONGBAN_REGULATIONS", default))
    return folder if folder.is_dir() else None


def entries(generated: int) -> Iterator[Entry]:
    """Give the corpus; it is the same each time."""
    folder = regulations()
    contents = {path.stem: path.read_text() for path in sorted(folder.glob("*.md"))} if folder else {}
    for number, (title, body) in enumerate(contents.items()):
        yield Entry(
            title,
            1,
            ["all"],
            0,
            {"title": title, "body": body, "unit": "law", "date": number * _DAY, "row": {"title": title}},
        )
    sentences = [line for body in contents.values() for line in body.splitlines() if len(line) > 20] or [
        "各单位要做好消防安全工作。"
    ]
    rng = random.Random(1)  # noqa: S311 - the same records each time
    for number in range(generated):
        unit = f"u{rng.randrange(60)}"
        title = f"关于{rng.choice(sentences)[:18]}的通知"
        values = {
            "title": title,
            "body": "\n".join(rng.choices(sentences, k=6)),
            "unit": unit,
            "date": number // 40 * _DAY,
            "row": {"title": title},
        }
        readers = (
            ["all"]
            if rng.random() < 0.2
            else [f"u:{unit}", f"u:u{rng.randrange(60)}", f"p:p{rng.randrange(5000)}"]
        )
        yield Entry(f"g{number}", 1, readers, rng.choice([0, 0, 0, 1, 1, 2, 3]), values)


def _milliseconds(calls: list[Callable[[], object]]) -> dict[str, float]:
    times = []
    for call in calls:
        started = time.perf_counter()
        call()
        times.append((time.perf_counter() - started) * 1000)
    return {
        "p50_ms": round(statistics.median(times), 2),
        "p95_ms": round(statistics.quantiles(times, n=20)[18], 2),
    }


def run(generated: int) -> dict[str, object]:
    """Measure once, in a folder of its own that is removed afterwards."""
    corpus = list(entries(generated))
    reader = Reader(frozenset({"all", "p:p7", *(f"u:u{number}" for number in range(3))}), 2)
    with tempfile.TemporaryDirectory() as folder:
        index = Index(folder, SCHEMA)
        started, wall = time.process_time(), time.perf_counter()
        index.rebuild(corpus)
        used, wall = time.process_time() - started, time.perf_counter() - wall
        size = sum(path.stat().st_size for path in Path(folder).rglob("*") if path.is_file())

        def searches(
            who: Reader, order: Literal["date", "relevance"], facets: tuple[str, ...] = ()
        ) -> list[Callable[[], object]]:
            return [
                partial(index.search, Query(word, order=order, facets=facets), who) for word in WORDS * 10
            ]

        def page(count: int) -> Callable[[], object]:
            cursor = ""
            for _ in range(count):
                cursor = index.search(Query(after=cursor, size=200), reader).next or cursor
            return partial(index.search, Query(after=cursor, size=200), reader)

        measured = {
            "words_by_date": _milliseconds(searches(reader, "date")),
            "words_by_relevance": _milliseconds(searches(reader, "relevance")),
            "words_everything": _milliseconds(searches(Reader.everything(), "date")),
            "words_with_facet": _milliseconds(searches(reader, "date", ("unit",))),
            "list_first_page": _milliseconds([partial(index.search, Query(), reader)] * 100),
            "list_page_20_of_200": _milliseconds([page(20)] * 50),
            "suggestions": _milliseconds([partial(index.suggestions, "关于", reader)] * 50),
        }
        with index.writer() as writer:

            def visible(number: int) -> None:
                writer.put([Entry(f"new{number}", 1, ["all"], 0, {"title": "新", "date": 0})])
                if not index.wait_for(f"new{number}", 1, 5):
                    raise SearchError(f"new{number} is not visible after 5 s")

            measured["put_until_visible"] = _milliseconds([partial(visible, number) for number in range(50)])
    return {
        "documents": len(corpus),
        "characters": sum(len(entry.values["title"]) + len(entry.values["body"]) for entry in corpus),
        "index_bytes": size,
        "index_seconds": round(wall, 2),
        "documents_per_cpu_second": round(len(corpus) / used),
        "peak_rss_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
        **measured,
    }


if __name__ == "__main__":
    print(json.dumps(run(int(sys.argv[1]) if len(sys.argv) > 1 else 20_000), ensure_ascii=False, indent=1))  # noqa: T201 - a command line program
