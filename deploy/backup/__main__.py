"""`python -m deploy.backup`: backup, restore, put-back, verify, prune, status. See docs/operations.md."""

from __future__ import annotations

import argparse
import os
import signal
import sys
from datetime import UTC, datetime
from pathlib import Path

from deploy.backup import keeping, key
from deploy.backup.archive import Reader
from deploy.backup.one_unit import put_back
from deploy.backup.restoring import restore
from deploy.backup.taking import backup
from deploy.local.cache import ROOT
from deploy.local.say import Clock, Refusal, guarded, line


def main() -> int:
    """Carry out one verb."""
    os.umask(0o077)
    # So that what is held still goes on, and what was begun is removed.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    given = _arguments()
    return int(given.run(given))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="deploy.backup", description=(__doc__ or "").splitlines()[0])
    verbs = parser.add_subparsers(required=True, metavar="VERB")
    var = _path("TONGBAN_VAR", ROOT / "var" / "run")
    to = _path("TONGBAN_BACKUPS", Path.home() / "tongban-backups")

    taking = verbs.add_parser("backup", help="back the running deployment up")
    taking.add_argument("--var", type=Path, default=var, help=f"the deployment's folder (TONGBAN_VAR; {var})")
    taking.add_argument("--to", type=Path, default=to, help=f"where the archive goes (TONGBAN_BACKUPS; {to})")
    also = os.environ.get("TONGBAN_BACKUPS_ALSO")
    taking.add_argument(
        "--also", type=Path, default=also, help="a second place for a copy (TONGBAN_BACKUPS_ALSO)"
    )
    taking.set_defaults(run=_backup)

    restoring = verbs.add_parser("restore", help="restore an archive into an empty place")
    restoring.add_argument("--from", dest="archive", type=Path, required=True)
    restoring.add_argument("--var", type=Path, required=True, help="the new deployment's folder")
    restoring.set_defaults(run=_restore)

    putting = verbs.add_parser("put-back", help="put one organisation's records back, leaving the others'")
    putting.add_argument("--from", dest="archive", type=Path, required=True)
    putting.add_argument("--units", required=True, help="ids of organisations or units, with commas")
    putting.add_argument("--over", action="store_true", help="also replace what is different now")
    putting.add_argument(
        "--write", action="store_true", help="do it; without this it only says what it would do"
    )
    putting.add_argument("--var", type=Path, default=var)
    putting.set_defaults(run=_put_back)

    verifying = verbs.add_parser("verify", help="read an archive to its end and check every byte")
    verifying.add_argument("archive", type=Path)
    verifying.set_defaults(run=_verify)

    pruning = verbs.add_parser("prune", help="keep 7 daily, 4 weekly and 6 monthly archives")
    pruning.add_argument("folders", type=Path, nargs="*", default=[Path(one) for one in (to, also) if one])
    pruning.set_defaults(run=_prune)

    asking = verbs.add_parser("status", help="status 1 when the last success is older than 26 hours")
    asking.add_argument("--var", type=Path, default=var)
    asking.set_defaults(run=_status)
    return parser.parse_args()


def _path(name: str, default: Path) -> Path:
    return Path(os.environ.get(name) or default).absolute()


def _backup(given: argparse.Namespace) -> int:
    backup(given.var.absolute(), given.to.absolute(), given.also and given.also.absolute(), Clock().line)
    return 0


def _restore(given: argparse.Namespace) -> int:
    restore(_there(given.archive), given.var.absolute(), Clock().line)
    line(f"Start it with: make run TONGBAN_VAR={given.var.absolute()}")
    return 0


def _put_back(given: argparse.Namespace) -> int:
    return put_back(
        _there(given.archive),
        given.var.absolute(),
        given.units,
        ["--over"] * given.over + ["--write"] * given.write,
        Clock().line,
    )


def _verify(given: argparse.Namespace) -> int:
    manifest = Reader(_there(given.archive), key.read(key.path())).verify()
    for section, facts in manifest["sections"].items():
        line(f"{facts['count']:9,} {facts['bytes']:15,} bytes  {facts['root'][:16]}  {section}")
    line(f"{given.archive} is whole; it is of {manifest['cut']:%Y-%m-%d %H:%M:%S} UTC.")
    return 0


def _prune(given: argparse.Namespace) -> int:
    for folder in given.folders:
        gone = keeping.prune(folder) if folder.is_dir() else []
        line(f"{folder}: {len(gone)} archives removed")
    return 0


def _status(given: argparse.Namespace) -> int:
    good, said = keeping.status(given.var.absolute(), datetime.now(UTC))
    line(said)
    return 0 if good else 1


def _there(archive: Path) -> Path:
    if not archive.is_file():
        raise Refusal(f"There is no archive {archive}.")
    return archive


if __name__ == "__main__":
    guarded(main)
