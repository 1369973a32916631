"""Removes what nobody will ask for again: the embedded database knows no time to live."""

from __future__ import annotations

from collections.abc import Callable

from chassis.store import Collection, Record


def sweep(records: Collection, past: Callable[[Record], bool]) -> int:
    """Remove the records that are past their time; returns how many. Several processes may do so at once."""
    gone = [record["_id"] for record in records.scan() if past(record)]
    for key in gone:
        records.remove(key)
    return len(gone)
