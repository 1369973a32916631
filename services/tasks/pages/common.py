"""What the pages of this service share."""

from __future__ import annotations

from collections.abc import Mapping

from flask import g
from tongban.tasks.v1 import tasks_pb2_grpc

from chassis import units
from chassis.client import Client

tasks = Client("tasks", tasks_pb2_grpc.TaskServiceStub)

OUTCOMES = {"done": "已办结", "returned": "已退回", "withdrawn": "已撤回"}
PARTS = {
    "open": ("info", "办理中"), "done": ("good", "已完成"), "returned": ("bad", "已退回"),
    "settled": ("neutral", "退回已处理"), "withdrawn": ("neutral", "已撤销"),
}  # fmt: skip
TASKS = {"open": ("info", "办理中"), "done": ("good", "已办结"), "cancelled": ("neutral", "已撤销")}


def services() -> dict[str, str]:
    """Everything from which something may be owed: unit → title."""
    return {unit.name: unit.title for unit in units.every() if unit.place and "person" in unit.roles}


def by_service(kinds: Mapping[str, int]) -> dict[str, int]:
    """Counts per kind summed up per service, in the platform's order."""
    sums: dict[str, int] = {}
    for kind, number in kinds.items():
        service = kind.partition(".")[0]
        sums[service] = sums.get(service, 0) + number
    known = {name: sums.pop(name) for name in services() if name in sums}
    return known | sums


def units_as(*roles: str) -> list[str]:
    """The units in which the reader holds one of these posts, in the order of the posts."""
    posts = [post.partition(":") for post in g.principal.posts]
    return list(dict.fromkeys(unit for unit, _, role in posts if role in roles))
