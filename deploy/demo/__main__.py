"""`python -m deploy.demo [--size small|district] [--weeks N] [--documents N]`: a district with some weeks of life in it.

Needs a running platform whose environment is this process's (deploy.local gives it), with TONGBAN_DEMO=1.
"""

from __future__ import annotations

import argparse
import sys
import time
from datetime import UTC, datetime, timedelta

from tongban.portal.v1 import directory_pb2 as pb
from tongban.portal.v1 import directory_pb2_grpc as stubs

from chassis.errors import TongbanError
from chassis.settings import SettingMissing, settings
from deploy.demo.acting import People, stub
from deploy.demo.life import Story
from deploy.demo.organisation import SIZES, District, district
from deploy.demo.others import fill_others

ADMINISTRATOR, SECURITY = "sysadmin", "secadmin"
SHOWN = [
    ("qfb.wenshu", "区政府办文书：起草、核发、查看各单位办理情况"),
    ("qfb.mishu", "区政府办秘书科科长：审核"),
    ("qfb.zhuren", "区政府办主任：签发"),
    ("qzf.quzhang", "区长：签发、批阅"),
    ("fgw.wenshu", "区发改局文书：签收、登记、分送、答复"),
    ("fgw.zonghe", "区发改局综合科科长：承办"),
    ("sysadmin", "系统管理员"),
    ("secadmin", "安全管理员"),
    ("auditor", "审计员"),
]
SAMPLES = "The old sample site has accounts of its own: oa001 to oa020, password oldsite123.\n"


def main() -> int:
    """Load it; 0 when everything is in."""
    arguments = _arguments()
    size = SIZES[arguments.size]
    made, began = district(size), time.monotonic()
    try:
        people = People(settings())
        ids = save_organisation(people, made)
        say(began, f"{len(made.units)} units, {len(made.people)} people")
        receivers = [
            unit.unit
            for unit in made.units
            if unit.kind == "organisation" and unit.unit not in ("qzf", "qfb")
        ]
        now = datetime.now(UTC)
        story = Story(people, ids, receivers, now - timedelta(weeks=arguments.weeks), now)
        story.live(
            arguments.documents,
            lambda done: say(began, f"{done}/{arguments.documents} documents", same_line=True),
        )
        say(began, f"{arguments.documents} documents      ")
        fill_others(story, lambda what: say(began, what))
    except (TongbanError, SettingMissing) as problem:
        print(f"The demonstration could not be loaded: {problem}", file=sys.stderr)
        return 1
    logins = "".join(f"  {name:<14} {what}\n" for name, what in SHOWN)
    (settings().var / "demo-logins.txt").write_text(
        f"Demo password for every account: {settings().secret('demo-password')}\n{logins}{SAMPLES}"
    )
    say(began, f"done, {people.calls} calls")
    return 0


def save_organisation(people: People, made: District) -> dict[str, str]:
    """Units and people through DirectoryService, in portions; returns username → person."""
    directory = stub("portal", stubs.DirectoryServiceStub)
    for start in range(0, len(made.units), 100):
        people.call(
            directory.SaveUnits, pb.SaveUnitsRequest(units=made.units[start : start + 100]), ADMINISTRATOR
        )
    ids: dict[str, str] = {}
    password = settings().secret("demo-password")
    for start in range(0, len(made.people), 40):
        batch = made.people[start : start + 40]
        for person in batch:
            person.initial_password = password
        rights = [
            pb.Rights(username=one.username, posts=one.posts, clearance=one.clearance, roles=one.roles)
            for one in batch
        ]
        for person in batch:
            person.ClearField("posts")
            person.ClearField("clearance")
            person.ClearField("roles")
        people.call(directory.SavePeople, pb.SavePeopleRequest(people=batch), ADMINISTRATOR)
        # Each of these is several calls to Keycloak, which take long on a small machine that is just starting.
        for first in range(0, len(rights), 20):
            wanted = pb.SaveRightsRequest(rights=rights[first : first + 20])
            saved = people.call(directory.SaveRights, wanted, SECURITY)
            ids |= {person.username: person.person for person in saved.people}
    return ids


def say(began: float, what: str, *, same_line: bool = False) -> None:
    """One line of progress with the seconds since the start."""
    terminal = sys.stdout.isatty()
    if same_line and not terminal:
        return
    print(f"\r{time.monotonic() - began:6.1f} s  {what}", end="" if same_line else "\n", flush=True)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="deploy.demo", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--size", choices=sorted(SIZES), default="small")
    parser.add_argument("--weeks", type=int, default=3)
    parser.add_argument("--documents", type=int, default=16)
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
