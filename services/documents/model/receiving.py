"""What a unit has received, and what its office and the issuing one do about that: 签收, 登记, 退文, 催办. Rules only, no I/O.

sent → signed_for → registered; returned instead, with a reason, until it is passed on. What follows inside the unit: incoming.py.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

from chassis.errors import forbidden, wrong_state
from chassis.identity_types import Principal
from services.documents.model.course import Actor, Entry, Matter, Urged, opinion_of

ENDED = ("concluded", "return_accepted")


@dataclass(frozen=True)
class Progressed:
    """The unit has come further; the issuing side is to know."""

    state: str


@dataclass
class Reading:
    """Somebody opened it."""

    person: str
    time: datetime


@dataclass(kw_only=True)
class Received(Matter):
    """One document at one unit, as far as the two offices deal with it; id = "<document>|<unit>"."""

    document: str
    unit: str
    issuing_unit: str
    title: str
    document_number: str = ""
    genre: str = ""
    urgency: str = ""
    level: int = 0
    copy: bool = False
    reply_required: bool = False
    due_at: datetime | None = None
    sent_at: datetime
    state: str = "sent"
    incoming_number: str = ""
    return_reason: str = ""
    signed_for_at: datetime | None = None
    signed_for_by: str = ""
    registered_at: datetime | None = None
    concluded_at: datetime | None = None
    readings: list[Reading] = field(default_factory=list)
    urgings: list[Entry] = field(default_factory=list)

    @property
    def registrars(self) -> str:
        """The token of the receiving unit's registrars."""
        return f"u:{self.unit}:registrar"

    def readers(self) -> set[str]:
        """Audience tokens of everybody in the receiving unit who may read it."""
        tokens = {self.registrars, f"u:{self.unit}:leader"} | {item.holder for item in self.items}
        return {token for token in tokens if not token.startswith(f"u:{self.issuing_unit}:")} | {
            f"p:{entry.person}" for entry in self.course if entry.person and entry.unit != self.issuing_unit
        }

    def arrive(self, sender: Actor, at: datetime) -> None:
        """It is there: the registrars are to sign for it."""
        self.record(sender, "来文", at)
        self.open_item("sign_for", self.registrars, at, sender, due_at=None)

    def opened_by(self, principal: Principal, at: datetime) -> bool:
        """Note that somebody of the unit opened it; False when that is already known."""
        if any(reading.person == principal.person for reading in self.readings):
            return False
        self.readings.append(Reading(principal.person, at))
        return True

    def sign_for(self, principal: Principal, at: datetime) -> None:
        """签收."""
        self._only_in("sent")
        actor = self._registrar(principal)
        self._close("sign_for", actor, at)
        self.record(actor, "签收", at)
        self.signed_for_at, self.signed_for_by = at, principal.person
        self._to("signed_for")
        self.open_item("register", self.registrars, at, actor)

    def register(self, principal: Principal, take: Callable[[], str], at: datetime) -> None:
        """登记 under the unit's own number, which `take` gives once it is sure that it will be used."""
        self._only_in("signed_for")
        actor = self._registrar(principal)
        number = take()
        self._close("register", actor, at)
        self.record(actor, "登记", at, number)
        self.incoming_number, self.registered_at = number, at
        self._to("registered")
        self.open_item("pass_on", self.registrars, at, actor)

    def return_to_sender(self, principal: Principal, reason: str, at: datetime) -> None:
        """退回来文单位."""
        self._only_in("sent", "signed_for", "registered")
        actor = self._registrar(principal)
        said = opinion_of(reason, required="退回须写明原因。")
        for item in self.open_items():
            self.close_item(item, actor, at, "returned", said)
        self.record(actor, "退回来文单位", at, said, "退回")
        self.return_reason = said
        self._to("returned")
        self.open_item("deal_with_return", f"u:{self.issuing_unit}:registrar", at, actor)

    def resend(self, principal: Principal, message: str, at: datetime) -> None:
        """The issuing office sends a returned document again."""
        actor = self._issuer(principal)
        self._only_in("returned")
        self._close("deal_with_return", actor, at)
        self.record(actor, "重新发送", at, opinion_of(message))
        self.return_reason, self.sent_at = "", at
        self._to("sent")
        self.open_item("sign_for", self.registrars, at, actor)

    def accept_return(self, principal: Principal, message: str, at: datetime) -> None:
        """The issuing office leaves a return at that."""
        actor = self._issuer(principal)
        self._only_in("returned")
        self._close("deal_with_return", actor, at)
        self.record(actor, "同意退文", at, opinion_of(message))
        self.concluded_at = at
        self._to("return_accepted")

    def urge(self, principal: Principal, message: str, urging: str, at: datetime) -> None:
        """催办 by the issuing office: everybody who owes a step here is reminded."""
        actor = self._issuer(principal)
        if self.state in (*ENDED, "returned", "answered"):
            raise wrong_state("该单位已办理完毕，无需催办。", "NOTHING_TO_URGE", "Nothing is open there.")
        said = opinion_of(message) or "请抓紧办理。"
        self.record(actor, "催办", at, said)
        self.urgings.append(Entry(at, actor.person, actor.unit, "催办", said))
        for item in self.open_items():
            if item.kind != "read":
                self.tell(Urged(item.id, f"{urging}|{item.id}", principal.person, said, at))

    def issuer_actions(self, principal: Principal) -> list[str]:
        """What the issuing office may do now."""
        if not principal.has_post(self.issuing_unit, "registrar"):
            return []
        if self.state == "returned":
            return ["resend", "accept_return"]
        return [] if self.state in (*ENDED, "answered") else ["urge"]

    def _close(self, kind: str, actor: Actor, at: datetime) -> None:
        for item in self.open_items(kind):
            self.close_item(item, actor, at)

    def _to(self, state: str) -> None:
        self.state = state
        self.tell(Progressed(state))

    def _registrar(self, principal: Principal) -> Actor:
        if not principal.has_post(self.unit, "registrar"):
            raise forbidden("只有收文单位的文书可以进行此操作。")
        return Actor.of(principal, self.unit)

    def _issuer(self, principal: Principal) -> Actor:
        if not principal.has_post(self.issuing_unit, "registrar"):
            raise forbidden("只有发文单位的文书可以进行此操作。")
        return Actor.of(principal, self.issuing_unit)

    def _only_in(self, *states: str) -> None:
        if self.state not in states:
            raise wrong_state("该文已进入下一环节，不能再进行此操作，请刷新页面。")
