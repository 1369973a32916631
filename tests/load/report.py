"""From the figures to what people read: the table, the plots, and both in docs/performance.md, so that it says what was measured."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import matplotlib as mpl

mpl.use("svg")
from matplotlib import pyplot as plt

DOCS = Path(__file__).parents[2] / "docs"
PAGE = DOCS / "performance.md"
BEGIN, END = "<!-- figures: written by `make bench`, see tests/load/report.py -->", "<!-- end of figures -->"
ORDER = ("edge", "calls", "live", "rates", "search", "logins", "growth")


def table(parts: list[dict[str, Any]]) -> str:
    """The figures as a table in Markdown."""
    rows = ["| figure | median | range | asked | | what |", "|---|---:|---:|---:|---|---|"]
    for part in parts:
        for one in part["figures"]:
            if one.get("series"):
                continue
            asked = "" if one["mark"] is None else f"{'≥' if one['least'] else '≤'} {_short(one['mark'])}"
            state = {True: "holds", False: "falls short", None: ""}[one["holds"]]
            low, high = min(one["rounds"]), max(one["rounds"])
            spread = f"{_short(low)} – {_short(high)}" if len(one["rounds"]) > 1 else ""
            median = f"{_short(one['median'])} {one['unit']}"
            rows.append(f"| {one['name']} | {median} | {spread} | {asked} | {state} | {one['what']} |")
    return "\n".join(rows)


def keep(folder: Path) -> None:
    """Take the newest figures of every part into docs/: the numbers, the table and the plots."""
    parts = [json.loads(path.read_text()) for name in ORDER if (path := folder / f"{name}.json").exists()]
    (DOCS / "performance.json").write_text(json.dumps(parts, ensure_ascii=False, indent=1) + "\n")
    plots = [name for part in parts for name in _plots(part)]
    notes = [f"Measured on: {parts[0]['machine']}."] if parts else []
    notes += [
        f"**{part['part']}: other work took the machine meanwhile.**" for part in parts if part["disturbed"]
    ]
    notes += [f"**{part['part']}: a quick run, rough.**" for part in parts if part["quick"]]
    pictures = "\n".join(f"![{name}](pictures/growth-{name}.svg)" for name in plots)
    text = PAGE.read_text()
    before, after = text.partition(BEGIN)[0], text.partition(END)[2]
    inside = "\n\n".join(["\n".join(notes), table(parts), pictures])
    PAGE.write_text(f"{before}{BEGIN}\n\n{inside}\n\n{END}{after}")


def _plots(part: dict[str, Any]) -> list[str]:
    """Draw how figures grow with the number of records; returns the plots' names."""
    by_plot: dict[str, list[dict[str, Any]]] = {}
    for one in part["figures"]:
        if one.get("series"):
            # Two parts may draw what has the same name.
            by_plot.setdefault(f"{part['part']}-{one['plot']}", []).append(one)
    for name, lines in by_plot.items():
        figure, axes = plt.subplots(figsize=(5, 3))
        for line in lines:
            axes.plot(line["series"]["records"], line["series"]["values"], marker="o", label=line["name"])
        axes.set_xscale("log")
        axes.set_yscale("log")
        axes.set_xlabel("records")
        axes.set_ylabel(lines[0]["unit"])
        axes.grid(visible=True, alpha=0.3)
        axes.legend(fontsize=7)
        figure.tight_layout()
        figure.savefig(DOCS / "pictures" / f"growth-{name}.svg", metadata={"Date": None})
        plt.close(figure)
    return list(by_plot)


def _short(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"
