"""`python3 -m deploy.local.install [--tests]`: bring every tool into the cache. Idempotent.

The first time takes minutes, most of it in three things that do not depend on each other (Go compiles,
Keycloak builds, Debian downloads), so these run side by side. The second time only looks at stamps.
"""

import argparse
import os
import shutil
import sys
from collections.abc import Callable
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from functools import partial

from deploy.local import accounts, steps, units, versions
from deploy.local.cache import Tools, complete, only_one_installer, tools
from deploy.local.say import Clock, Refusal, guarded, line

_NEEDED_BYTES = 3 * 1024**3

Step = tuple[str, Callable[[], bool]]


def _lanes(where: Tools, *, tests: bool) -> list[list[Step]]:
    """Steps grouped into lanes: one lane after another inside, all lanes side by side.

    Maven keeps one lane because two Mavens at once may spoil its local repository; Debian has one lock.
    """
    programs = {**versions.APT_RUN, **(versions.APT_TEST if tests else {})}
    lacking = ", ".join(steps.missing(programs))
    return [
        [
            (f"Keycloak {versions.KEYCLOAK}", partial(steps.keycloak, where)),
            (f"embedded database {versions.MONGO}", partial(steps.mongo, where)),
        ],
        [
            (f"nats-server {versions.NATS}", partial(steps.nats, where)),
            *([(f"toxiproxy {versions.TOXIPROXY}", partial(steps.toxiproxy, where))] if tests else []),
        ],
        [
            (f"Debian packages ({lacking})", partial(steps.debian, where, programs)),
            ("Fandol fonts", partial(steps.fonts, where)),
            ("accounts", partial(steps.system_accounts, where, _accounts(where))),
        ],
        [
            ("Python packages", partial(steps.python_environment, where)),
            ("browser assets", partial(steps.vendor, where)),
        ],
    ]


def _run_lane(lane: list[Step], clock: Clock) -> int:
    done = 0
    for name, step in lane:
        own = Clock()
        if step():
            done += 1
            clock.line(f"installed {name} in {own.seconds:.0f} s")
    return done


def _check_machine(where: Tools) -> None:
    if sys.version_info < (3, 11):  # noqa: UP036 - this runs before any environment with a known Python.
        raise Refusal(
            "Python 3.11 or newer is needed; install python3.11 and run make with PYTHON=python3.11."
        )
    where.base.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(where.base).free
    if free < _NEEDED_BYTES:
        raise Refusal(
            f"{free / 1024**3:.1f} GiB are free under {where.base} and 3 are needed; free some space or set "
            "TONGBAN_CACHE to a folder on another disk."
        )
    steps.java_is_new_enough()


def everything_there(where: Tools, *, tests: bool) -> bool:
    """Whether an installation would do nothing. Looks at stamps and PATH only."""
    folders = [where.environment, where.nats, where.keycloak, where.mongo, where.fonts, where.vendor]
    folders += [where.toxiproxy] if tests else []
    programs = {**versions.APT_RUN, **(versions.APT_TEST if tests else {})}
    lacking = steps.missing(programs) or (os.geteuid() == 0 and accounts.missing(_accounts(where)))
    return all(complete(folder) for folder in folders) and not lacking


def _accounts(where: Tools) -> set[str]:
    return {unit.account for unit in units.load(where.root)}


def install(*, tests: bool = False) -> None:
    """Install what is missing; say nothing when nothing is."""
    where = tools()
    if everything_there(where, tests=tests):
        return
    _check_machine(where)
    clock = Clock()
    line(f"Installing into {where.base} (minutes the first time, nothing the next).")
    with only_one_installer(where.base):
        if not everything_there(where, tests=tests):
            steps.debian_lists(where)
            _run_side_by_side(_lanes(where, tests=tests), clock)
    clock.line("everything is installed")


def _run_side_by_side(lanes: list[list[Step]], clock: Clock) -> None:
    with ThreadPoolExecutor(len(lanes)) as pool:
        running = [pool.submit(_run_lane, lane, clock) for lane in lanes]
        ended, _ = wait(running, return_when=FIRST_EXCEPTION)
        failed = [future for future in ended if future.exception()]
        if failed:
            line("A step failed; waiting for the others to end.")
    for future in running:
        future.result()


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--tests", action="store_true", help="also what only the tests need (Chromium)")
    install(tests=parser.parse_args().tests)
    return 0


if __name__ == "__main__":
    guarded(main)
