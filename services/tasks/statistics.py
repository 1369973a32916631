"""A unit's figures, and who may see what a unit owes."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from chassis import clock
from chassis.directory import Directory
from chassis.errors import forbidden
from chassis.identity_types import Principal
from chassis.registry import Registry, micros
from chassis.search import Query
from services.tasks.registry import WATCHING

PERIOD = timedelta(days=30)


@dataclass(frozen=True)
class Figures:
    """What one unit owes: now, and what it closed in a period."""

    unit: str
    open: int
    overdue: int
    closed: int
    closed_late: int


def statistics(
    registry: Registry,
    directory: Directory,
    principal: Principal,
    unit: str,
    since: datetime | None,
    until: datetime | None,
) -> tuple[Figures, list[Figures], dict[str, int]]:
    """The unit's figures, those of the units directly below, and the open ones by kind. Counts obey the caller's clearance."""
    access_unit(directory, principal, unit)
    now = clock.now()
    period = {"closed_at": (micros(since or now - PERIOD), micros(until))}
    opened = Query(must={"units": [unit], "state": ["open"]}, facets=("units", "kind"), size=1)
    closed = Query(must={"units": [unit], "state": ["closed"]}, ranges=period, facets=("units",), size=1)
    answers = [
        registry.search(query, principal)
        for query in (
            opened,
            replace(opened, ranges={"due_at": (None, micros(now))}),
            closed,
            replace(closed, must={**closed.must, "late": ["yes"]}),
        )
    ]
    by_unit = [dict(answer.facets["units"]) for answer in answers]

    def figures(name: str) -> Figures:
        return Figures(name, *(counts.get(name, 0) for counts in by_unit))

    parts = [figures(child.unit) for child in directory.children(unit)]
    parts = [part for part in parts if part.open or part.closed]
    kinds = {name: number for name, number in answers[0].facets["kind"] if "." in name}
    return figures(unit), sorted(parts, key=lambda part: (-part.overdue, -part.open)), kinds


def access_unit(directory: Directory, principal: Principal, unit: str) -> None:
    """The caller heads or leads this unit or one above it.

    Raises Forbidden.
    """
    if not watches(directory, principal, unit):
        raise forbidden("只有本单位及上级单位的负责人、领导可以查看。")


def watches(directory: Directory, principal: Principal, unit: str) -> bool:
    """Whether the caller heads or leads the unit or one above it."""
    return any(principal.has_post(one.unit, role) for one in directory.upward(unit) for role in WATCHING)
