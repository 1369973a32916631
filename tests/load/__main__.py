"""`make bench`: measure, print the table, keep the figures. `python -m tests.load [parts] [--quick] [--anyway] [--keep]`

Every figure is measured against something in the same run. A machine on which other work runs is refused, for then a figure says
more about that work; `--anyway` measures all the same and says so in what it keeps.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import platform
import shutil
import sys
import time
import traceback
from collections.abc import Callable
from functools import partial
from pathlib import Path

import structlog

from chassis import log
from tests import environment
from tests.load import report
from tests.load.measuring import BUSY, Figure, Line, busy

OUT = Path(__file__).parents[2] / "build" / "bench"
WITHOUT_SITE = ("rates", "search", "growth")
# People come when the platform is warm: a virtual machine that has just started compiles while it works.
WITH_SITE = ("edge", "calls", "live", "logins")


def _alone(part: str, var: Path, *, quick: bool) -> list[Figure | Line]:
    from tests.load import growth, rates, searching

    if part == "rates":
        return rates.run(var, rounds=2 if quick else 5, size=4 if quick else 16)
    if part == "search":
        return searching.run(var, sizes=(400, 4_000) if quick else (4_000, 40_000, 400_000))
    return growth.run(var, sizes=(400, 4_000) if quick else (4_000, 40_000, 400_000))


def _at_site(
    parts: list[str],
    var: Path,
    keep: Callable[[str, Callable[[], list[Figure | Line]]], None],
    *,
    quick: bool,
) -> None:
    from tests.load import calls, edge, live, logins, site

    rounds, seconds = (2, 1.0) if quick else (5, 3.0)
    work: dict[str, Callable[[], list[Figure | Line]]] = {}
    with site.running(var) as running:
        work["edge"] = lambda: edge.run(running, var, rounds=rounds, seconds=seconds)
        work["calls"] = lambda: calls.run(running, var, rounds=rounds, seconds=seconds)
        work["live"] = lambda: live.run(running, seconds=5 if quick else 60, at_rest=10 if quick else 200)
        work["logins"] = lambda: logins.run(running, rounds=rounds, count=3 if quick else 10)
        for part in parts:
            keep(part, work[part])


def main() -> int:
    parser = argparse.ArgumentParser(prog="tests.load", description=(__doc__ or "").splitlines()[0])
    parser.add_argument(
        "parts",
        nargs="*",
        choices=[*WITH_SITE, *WITHOUT_SITE, []],
        help="which parts; all when none is named",
    )
    parser.add_argument(
        "--quick", action="store_true", help="small and rough: shows that it works, not how fast it is"
    )
    parser.add_argument("--anyway", action="store_true", help="measure although other work takes the machine")
    parser.add_argument("--keep", action="store_true", help="write the figures and plots into docs/")
    given = parser.parse_args()
    log.configure("bench", "bench")
    environment.prepare()
    # Services run inside this process; a line for each of their calls would be all that one sees.
    structlog.configure(logger_factory=structlog.ReturnLoggerFactory(), cache_logger_on_first_use=False)
    logging.getLogger().setLevel(logging.ERROR)
    part_busy = busy(2.0)
    if part_busy > BUSY and not given.anyway:
        print(
            f"Other work takes {part_busy:.0%} of this machine; end it, or measure all the same with --anyway."
        )
        return 2
    wanted = given.parts or [*WITH_SITE, *WITHOUT_SITE]
    var = OUT / "var"
    shutil.rmtree(var, ignore_errors=True)
    var.mkdir(parents=True)
    began = time.monotonic()

    failed: list[str] = []

    def keep(part: str, measure: Callable[[], list[Figure | Line]]) -> None:
        try:
            figures = measure()
        except Exception:  # noqa: BLE001 - told here and by the exit status; the other parts can be measured all the same
            traceback.print_exc()
            failed.append(part)
            return
        told = {
            "part": part, "quick": given.quick, "busy_before": round(part_busy, 3), "disturbed": part_busy > BUSY,
            "machine": f"{os.cpu_count()} × {platform.machine()}, Python {platform.python_version()}",
            "figures": [figure.told() for figure in figures],
        }  # fmt: skip
        (OUT / f"{part}.json").write_text(json.dumps(told, ensure_ascii=False, indent=1) + "\n")
        print(report.table([told]), flush=True)
        print(f"[{time.monotonic() - began:.0f} s]", flush=True)

    at_site = [part for part in WITH_SITE if part in wanted]
    if at_site:
        try:
            _at_site(at_site, var, keep, quick=given.quick)
        except Exception:  # noqa: BLE001 - the platform did not start; told, and the parts without it go on
            traceback.print_exc()
            failed += at_site
    for part in (part for part in WITHOUT_SITE if part in wanted):
        keep(part, partial(_alone, part, var, quick=given.quick))
    if given.keep:
        report.keep(OUT)
    shutil.rmtree(var, ignore_errors=True)
    if failed:
        print(f"Not measured: {', '.join(failed)}.")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
