"""One obligation: who owes what, since when, until when, and whether it is over.

It is learnt from events that arrive in any order and more than once. So every part of it is a join: facts and closing are those
with the highest sequence, holdings and urgings are sets. Taking in the same events in another order gives the same obligation.
"""

from __future__ import annotations

import hashlib
from dataclasses import astuple, dataclass, field
from datetime import UTC, datetime, timedelta

from chassis.aggregate import Aggregate, Request
from chassis.errors import invalid, wrong_state

MESSAGE = 200  # characters of an urging
URGE_PAUSE = timedelta(minutes=10)
OUTCOMES = ("done", "returned", "withdrawn")


@dataclass(frozen=True)
class Facts:
    """What the sender said when it opened the obligation."""

    sequence: int
    kind: str
    action: str
    title: str
    link: str
    sender: str
    sender_unit: str
    urgency: str
    level: int
    opened_at: datetime
    due_at: datetime | None
    matter: str
    on_behalf_of: str


@dataclass(frozen=True)
class Holding:
    """From this change on, `holder` (an audience token) owes it."""

    sequence: int
    holder: str
    by: str
    at: datetime


@dataclass(frozen=True)
class Closing:
    """How it ended."""

    sequence: int
    outcome: str
    by: str
    at: datetime


@dataclass(frozen=True)
class Urging:
    """Somebody asked for it. Counted once by `id`."""

    id: str
    by: str
    message: str
    at: datetime


@dataclass(frozen=True)
class Urged:
    """News: an urging that arose here, to be told to the other services."""

    urging: Urging


@dataclass(frozen=True)
class Summary:
    """One line of a list."""

    obligation: str
    revision: int
    kind: str
    action: str
    title: str
    link: str
    holder: str
    sender: str
    sender_unit: str
    urgency: str
    level: int
    opened_at: datetime
    due_at: datetime | None
    matter: str
    on_behalf_of: str
    urged: int = 0
    urged_at: datetime | None = None
    urge_message: str = ""
    state: str = "open"
    outcome: str = ""
    closed_by: str = ""
    closed_at: datetime | None = None


@dataclass(kw_only=True)
class Obligation(Aggregate):
    """The join of all that was told about one obligation. `facts` is None until its opening has arrived."""

    facts: Facts | None = None
    holdings: list[Holding] = field(default_factory=list)
    closing: Closing | None = None
    urgings: list[Urging] = field(default_factory=list)

    def open(self, facts: Facts, holding: Holding) -> bool:
        """Take in an opening; True when anything is new."""
        newer = self.facts is None or _key(facts) > _key(self.facts)
        if newer:
            self.facts = facts
        return self.reassign(holding) or newer

    def reassign(self, holding: Holding) -> bool:
        """Take in a change of the holder."""
        if holding in self.holdings:
            return False
        self.holdings = sorted([*self.holdings, holding], key=_key)
        return True

    def close(self, closing: Closing) -> bool:
        """Take in the end. Nothing opens it again."""
        if self.closing is not None and _key(closing) <= _key(self.closing):
            return False
        self.closing = closing
        return True

    def urge(self, urging: Urging) -> bool:
        """Take in an urging."""
        known = next((one for one in self.urgings if one.id == urging.id), None)
        # The same id with other content cannot be right; the greater one stays, so that the order does not decide.
        if known is not None and _key(known) >= _key(urging):
            return False
        others = [one for one in self.urgings if one.id != urging.id]
        self.urgings = sorted([*others, urging], key=lambda one: (one.at, one.id))
        return True

    def ask(self, request: Request, by: str, message: str, now: datetime) -> None:
        """Urge from here: a user's action.

        Raises WrongState when it is over or was urged a moment ago.
        """
        if self.state != "open":
            raise wrong_state("该事项已经办结，无需催办。", "ALREADY_CLOSED", "It is closed already.")
        if self.urgings and now - self.urgings[-1].at < URGE_PAUSE:
            raise wrong_state(
                "刚刚已经催办过，请十分钟后再催。", "URGED_JUST_NOW", "It was urged a moment ago."
            )
        if len(message) > MESSAGE:
            raise invalid(message=f"催办内容不能超过{MESSAGE}字。")
        urging = Urging(request.new_id("urge-"), by, message.strip(), now)
        self.urge(urging)
        self.tell(Urged(urging))

    @property
    def state(self) -> str:
        """Whether it is "open" or "closed"; "unknown" while the opening has not arrived."""
        if self.facts is None:
            return "unknown"
        return "closed" if self.closing else "open"

    @property
    def holder(self) -> str:
        """The token of who owes it now, or owed it last; '' when unknown."""
        return self.holdings[-1].holder if self.holdings else ""

    @property
    def holders(self) -> frozenset[str]:
        """Everybody who ever owed it."""
        return frozenset(one.holder for one in self.holdings)

    def summary(self) -> Summary:
        """This obligation as a line of a list. Only for one whose facts are known."""
        if self.facts is None:
            raise ValueError(f"{self.id} has not been opened yet")
        facts, last, closing = self.facts, self.urgings[-1] if self.urgings else None, self.closing
        return Summary(
            obligation=self.id, revision=self.revision, kind=facts.kind, action=facts.action, title=facts.title,
            link=facts.link, holder=self.holder, sender=facts.sender, sender_unit=facts.sender_unit,
            urgency=facts.urgency, level=facts.level, opened_at=facts.opened_at, due_at=facts.due_at,
            matter=facts.matter, on_behalf_of=facts.on_behalf_of, urged=len(self.urgings),
            urged_at=last.at if last else None, urge_message=last.message if last else "", state=self.state,
            outcome=closing.outcome if closing else "", closed_by=closing.by if closing else "",
            closed_at=closing.at if closing else None,
        )  # fmt: skip

    def fingerprint(self) -> str:
        """A digest of all that the events determine (revision and bookkeeping left out), to compare two histories."""
        parts = (self.id, self.facts, self.holdings, self.closing, self.urgings)
        return hashlib.sha256(repr(parts).encode()).hexdigest()


def _key(part: Facts | Holding | Closing | Urging) -> tuple[str | int, ...]:
    """A total order: the sequence first, then the content, so that even two events of one sequence have one winner."""
    return tuple(_comparable(value) for value in astuple(part))


def _comparable(value: object) -> str | int:
    if isinstance(value, int):
        return value
    return (
        value.astimezone(UTC).isoformat(timespec="milliseconds")
        if isinstance(value, datetime)
        else str(value or "")
    )
