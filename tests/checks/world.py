"""What the invented worlds of worlds.py share: registers filled with invented records, in two worlds: everything, and only what one reader may see.

Who may see what is asked of the rules for single records (access_* and the aggregates), never of the index.
"""

from __future__ import annotations

import contextlib
import random
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

from chassis import context
from chassis.identity_types import Principal
from tests.inprocess import directory_of

UNITS = [(org, f"{org}局", "", "organisation") for org in ("qfb", "fgw", "czj", "wjj")]
UNITS += [
    (f"{org}-{part}", f"{org}{part}科", org, "division")
    for org in ("qfb", "fgw", "czj", "wjj")
    for part in ("zh", "yw")
]
ROLES = ("member", "registrar", "head", "leader")
WORDS = [
    "防汛", "森林防火", "经费预算", "人事任免", "安全生产", "土地征收", "疫苗接种", "审计整改", "信访积案", "干部考察", "机密项目", "涉密会议",
    "绿化", "供水", "道路改造", "招商引资", "应急演练", "数据共享", "营商环境", "档案移交", "food", "2026", "ABC-7", "Ⅳ级响应",
]  # fmt: skip
START = datetime(2026, 1, 5, 1, 0, tzinfo=UTC)


def staff(dice: random.Random) -> dict[str, Principal]:
    """Forty people: most with one modest post, some with more, with every clearance."""
    people = {}
    for number in range(40):
        units = dice.sample([unit for unit, *_ in UNITS], dice.choice((1, 1, 1, 2)))
        posts = tuple(
            f"{unit}:{dice.choice(('member', 'member', 'registrar', 'head', 'leader'))}" for unit in units
        )
        people[f"p{number}"] = Principal(f"p{number}", posts=posts, clearance=dice.choice((0, 0, 0, 1, 2, 3)))
    return people


class World:
    """Invented records of one service, and how its register is asked."""

    kinds: tuple[str, ...] = ()

    def __init__(self, dice: random.Random, people: dict[str, Principal]) -> None:
        self.dice, self.people = dice, people
        self.directory = directory_of(UNITS, {name: list(one.posts) for name, one in people.items()})
        self.records = {kind: [self.invent(kind, number) for number in range(150)] for kind in self.kinds}

    def text(self, most: int = 4) -> str:
        return "".join(self.dice.sample(WORDS, self.dice.randint(1, most)))

    def person(self) -> str:
        return self.dice.choice(list(self.people))

    def unit(self) -> str:
        return self.dice.choice(UNITS)[0]

    def organisation(self) -> str:
        return self.unit().partition("-")[0]

    def moment(self, number: int) -> datetime:
        # All different, so that an order by time is one order.
        return START + timedelta(hours=number * 7, seconds=number)

    def filled(self, folder: Any, reader: Principal | None) -> Any:
        """The service's own register over everything, or over what `reader` may see."""
        register = self.register(folder)
        kept = {
            kind: SimpleNamespace(scan=lambda kind=kind: iter(self.shown(kind, reader)))
            for kind in self.kinds
        }
        register.rebuild(kept, lambda _done: None)
        return register

    def shown(self, kind: str, reader: Principal | None) -> list[Any]:
        return [one for one in self.records[kind] if reader is None or self.visible(kind, one, reader)]

    def visible_ids(self, reader: Principal) -> set[str]:
        """The ids of everything that this person may see."""
        return {one.id for kind in self.kinds for one in self.shown(kind, reader)}

    def words(self) -> str:
        """Something that somebody might type: mostly what really stands somewhere, often where they may not look."""
        text = self.corpus(self.dice.choice(self.records[self.dice.choice(self.kinds)]))
        start = self.dice.randrange(max(1, len(text)))
        piece = text[start : start + self.dice.choice((1, 2, 2, 3, 4, 8, 20))]
        return self.dice.choice(
            (
                piece,
                piece,
                piece,
                f'"{piece}"',
                f"{piece} {self.dice.choice(WORDS)}",
                "",
                self.dice.choice(WORDS),
            )
        )

    def invent(self, kind: str, number: int) -> Any: ...
    def register(self, folder: Any) -> Any: ...
    def visible(self, kind: str, one: Any, reader: Principal) -> bool: ...
    def corpus(self, one: Any) -> str: ...
    def question(self, reader: Principal) -> Any: ...
    def ask(self, register: Any, question: Any, reader: Principal, after: str) -> tuple[dict, dict, str]:
        """(row id → row, what is said beside the rows, next page's token)."""
        raise NotImplementedError


@contextlib.contextmanager
def as_(reader: Principal) -> Any:
    """Calls of this person."""
    with context.serving(context.Call(principal=reader)):
        yield
