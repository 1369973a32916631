"""python -m portal setup | serve | work | state"""

from __future__ import annotations

from typing import Any

from chassis.parts import Parts
from chassis.process import Service, main
from chassis.repository import Repository
from chassis.settings import text
from portal import ending, identity_events, rpc, setup
from portal.directory.keeping import keep
from portal.directory.watching import watch
from portal.parts import PortalParts
from portal.setup.demo_apps import enter_demo_apps
from portal.system import figures, telling


def _setup(parts: Parts, _arguments: list[str]) -> int:
    setup.run(parts.settings)
    if text("DEMO") == "1":
        enter_demo_apps(PortalParts(parts))
    return 0


def _background(parts: Parts) -> list[Any]:
    figures.watch(parts)
    return [
        keep(parts),
        watch(parts),
        ending.listen(PortalParts(parts)),
        identity_events.collect(parts),
    ]


def _repositories(parts: Parts) -> dict[str, Repository[Any]]:
    own = PortalParts(parts)
    return {repository.name: repository for repository in (own.apps, own.credential_records)}


SERVICE = Service(
    name="portal",
    who=rpc.WHO,
    add=rpc.add,
    repositories=_repositories,
    background=_background,
    commands={"setup": _setup, "state": telling.tell},
    security=rpc.SECURITY,
)

if __name__ == "__main__":
    main(SERVICE)
