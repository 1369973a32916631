"""The operator's commands: `python -m services.audit verify` and `purge`."""

from __future__ import annotations

import argparse
import sys
from datetime import UTC, datetime

from chassis.errors import TongbanError, Unavailable
from chassis.parts import Parts
from services.audit import commands, witness
from services.audit.parts import chain_of, signer_of, witnessed
from services.audit.registry import entries, index

BROKER_SECONDS = 5.0


def verify(parts: Parts, arguments: list[str]) -> int:
    """Walk along the chain; status 0 when it is whole, 1 when it is not, and every place is named."""
    parser = argparse.ArgumentParser(prog="services.audit verify")
    parser.add_argument("--from", dest="first", type=int, default=1, help="number of the first record")
    given = parser.parse_args(arguments)
    parts.bus.connected.wait(BROKER_SECONDS)
    try:
        known = witnessed(parts)
    except Unavailable:
        known = witness.in_folder()
        _say("The broker does not answer: its checkpoints are not compared.")
    report = commands.verify(
        chain_of(parts), signer_of(parts), known, given.first, lambda done: _say(f"{done} …")
    )
    for one in report.findings:
        _say(f"NOT WHOLE: {one.kind} at record {one.number}, {one.place}")
    _say(
        f"{report.lines} records, {report.first} to {report.last}, {report.checkpoints} checkpoints, {report.seconds} s: "
        + ("whole" if report.whole else f"{len(report.findings)} findings")
    )
    if given.first == 1:
        commands.keep_report(parts.settings.own_var, report)
    parts.audit.record("StartVerification", "OK" if report.whole else "NOT_WHOLE", lines=report.lines)
    parts.close()
    return 0 if report.whole else 1


def purge(parts: Parts, arguments: list[str]) -> int:
    """Remove what was kept before a day, which must be 184 days ago at least. It is on record before it is done."""
    parser = argparse.ArgumentParser(prog="services.audit purge")
    parser.add_argument("--before", required=True, help="a day, such as 2026-05-01")
    given = parser.parse_args(arguments)
    chain = chain_of(parts)
    try:
        before = commands.day(given.before)
        anchor = commands.removable(chain, signer_of(parts), before, datetime.now(UTC))
    except TongbanError as refusal:
        parts.audit.record("Purge", refusal, before=given.before)
        parts.close()
        _say(f"Refused: {refusal.en or refusal.zh}")
        return 1
    if anchor is None:
        parts.close()
        _say("Nothing to remove: no whole segment is that old.")
        return 0
    parts.bus.connected.wait(BROKER_SECONDS)
    parts.audit.record("Purge", before=given.before, upto=anchor.number - 1)
    if not parts.audit.spool.flushed(BROKER_SECONDS):
        parts.close()
        _say("Refused: the audit does not answer, so this removal would be on no record.")
        return 1
    gone = commands.remove(chain, anchor)
    parts.close()
    _say(f"Removed {len(gone)} segments; the chain begins with record {anchor.number}.")
    return 0


def reindex(parts: Parts, _arguments: list[str]) -> int:
    """Make the search index anew from the segments. `work` must not be running."""
    index(parts.settings.own_var).rebuild(entries(chain_of(parts)), lambda done: _say(f"{done} …"))
    return 0


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
