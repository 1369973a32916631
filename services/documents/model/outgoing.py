"""An outgoing document (发文): draft → review → sign-off → numbered → dispatched → concluded. Rules only, no I/O."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from chassis.errors import forbidden, invalid, wrong_state
from chassis.identity_types import Principal
from services.documents.model.course import SYSTEM, Actor, Entry, Matter, opinion_of
from services.documents.model.elements import FILES, Elements, FileRef


@dataclass(frozen=True)
class SignedOff:
    """The leader has signed: the number and the page follow."""


@dataclass(frozen=True)
class Dispatched:
    """Sent to these units, as the n-th dispatch."""

    units: list[str]
    dispatch: int


@dataclass(frozen=True)
class Concluded:
    """The matter has ended. course: the whole course, that of the units included."""

    course: list[Entry]


@dataclass(kw_only=True)
class Document(Matter):
    """One outgoing document."""

    elements: Elements
    issuing_unit: str
    drafting_unit: str
    drafter: str
    created_at: datetime
    state: str = "draft"
    reviewers: list[str] = field(default_factory=list)
    leader: str = ""
    number: str = ""
    signed_at: datetime | None = None
    dispatched_at: datetime | None = None
    concluded_at: datetime | None = None
    files: list[FileRef] = field(default_factory=list)
    printed: FileRef | None = None
    units: list[str] = field(default_factory=list)
    dispatches: int = 0
    ended_units: list[str] = field(default_factory=list)

    @property
    def office(self) -> str:
        """The token of the issuing organisation's registrars."""
        return f"u:{self.issuing_unit}:registrar"

    def readers(self) -> set[str]:
        """Audience tokens of everybody who may read it on the issuing side."""
        tokens = {f"p:{self.drafter}"} | {item.holder for item in self.items}
        tokens |= {f"p:{entry.person}" for entry in self.course if entry.person}
        if self.state != "draft" or self.items:
            tokens.add(self.office)
        if self.number:
            tokens.add(f"u:{self.issuing_unit}:leader")
        return tokens

    def edit(self, principal: Principal, elements: Elements, highest_level: int) -> None:
        """Replace the elements of a draft."""
        self._only_drafter(principal)
        self._only_in("draft")
        elements.check(highest_level)
        self.elements = elements

    def attach(self, principal: Principal, file: FileRef) -> None:
        """Add a file to a draft; the same content twice is one file."""
        self._only_drafter(principal)
        self._only_in("draft")
        if len(self.files) >= FILES:
            raise invalid(file=f"附件不能超过 {FILES} 个。")
        self.files = [old for old in self.files if old.digest != file.digest] + [file]

    def detach(self, principal: Principal, digest: str) -> None:
        """Take a file out of a draft."""
        self._only_drafter(principal)
        self._only_in("draft")
        self.files = [old for old in self.files if old.digest != digest]

    def submit(
        self,
        principal: Principal,
        reviewers: list[str],
        leader: str,
        preview: FileRef,
        opinion: str,
        at: datetime,
    ) -> None:
        """Send to the reviewers in their order, then to the leader."""
        self._only_drafter(principal)
        self._only_in("draft")
        self.elements.complete()
        if not leader:
            raise invalid(leader="请选择签发人。")
        if self.drafter in reviewers:
            raise invalid(reviewers="起草人不能审核自己起草的公文。")
        if len(set(reviewers)) != len(reviewers) or len(reviewers) > 10:
            raise invalid(reviewers="审核人不能重复，且不超过 10 人。")
        actor = Actor.of(principal, self.drafting_unit)
        again = any(item.kind == "revise" for item in self.items)
        for item in self.open_items("revise"):
            self.close_item(item, actor, at)
        self.reviewers, self.leader, self.printed = reviewers, leader, preview
        self.record(actor, "修改重报" if again else "起草送审", at, opinion_of(opinion))
        self._next(actor, reviewers, at)

    def review(self, principal: Principal, opinion: str, at: datetime) -> None:
        """A reviewer agrees; the next one, or the leader, follows."""
        self._only_in("review")
        item = self.need_item(principal, "review")
        actor, said = Actor.of(principal), opinion_of(opinion)
        self.close_item(item, actor, at, opinion=said)
        self.record(actor, "审核", at, said or "同意", "同意")
        reviewer = item.holder.removeprefix("p:")
        self._next(actor, self.reviewers[self.reviewers.index(reviewer) + 1 :], at)

    def send_back(self, principal: Principal, reason: str, at: datetime) -> None:
        """A reviewer or the leader returns it to the drafter."""
        self._only_in("review", "sign_off")
        item = self.need_item(principal, "review", "sign_off")
        said = opinion_of(reason, required="退回须写明原因。")
        actor = Actor.of(principal)
        self.close_item(item, actor, at, "returned", said)
        self.record(actor, item.action, at, said, "退回")
        self.state = "draft"
        self.open_item("revise", f"p:{self.drafter}", at, actor)

    def sign_off(self, principal: Principal, opinion: str, at: datetime) -> None:
        """The leader signs. From here on the document is irrevocable and will get its number."""
        self._only_in("sign_off")
        item = self.need_item(principal, "sign_off")
        actor, said = Actor.of(principal), opinion_of(opinion)
        self.close_item(item, actor, at, opinion=said)
        self.record(actor, "签发", at, said or "同意", "同意")
        self.state, self.signed_at = "signed", at
        self.tell(SignedOff())

    def take_number(self, number: str, printed: FileRef, at: datetime) -> None:
        """The signed document has its number and its page; the office is to dispatch it."""
        if self.state != "signed":
            return
        self.state, self.number, self.printed = "numbered", number, printed
        self.record(SYSTEM, "编号排版", at, number)
        by = Actor(self.leader, self.issuing_unit)
        self.open_item("dispatch", self.office, at, by)

    def dispatch(self, principal: Principal, further: list[str], at: datetime) -> list[str]:
        """The office sends it to the addressees, the copies and further units; returns the units that are new."""
        self._only_in("numbered", "dispatched")
        if not principal.has_post(self.issuing_unit, "registrar"):
            raise forbidden("只有发文单位的文书可以核发。")
        wanted = [*self.elements.addressees, *self.elements.copies, *further]
        new = [unit for unit in dict.fromkeys(wanted) if unit not in self.units]
        if not new:
            raise invalid(units="这些单位都已发送。")
        actor = Actor.of(principal, self.issuing_unit)
        for item in self.open_items("dispatch"):
            self.close_item(item, actor, at)
        self.units += new
        self.dispatches += 1
        self.dispatched_at = self.dispatched_at or at
        self.state = "dispatched"
        self.record(actor, "核发", at, f"发送 {len(new)} 个单位")
        self.tell(Dispatched(new, self.dispatches))
        return new

    def unit_ended(self, unit: str) -> bool:
        """One unit has finished; True when all have."""
        if unit in self.units and unit not in self.ended_units:
            self.ended_units.append(unit)
        return self.state == "dispatched" and set(self.ended_units) >= set(self.units)

    def conclude(self, actor: Actor, course: list[Entry], reason: str, at: datetime) -> None:
        """End the matter; course is what is filed beside the document's own."""
        self._only_in("dispatched")
        self.close_all(actor, at)
        self.record(actor, "办结", at, reason)
        self.state, self.concluded_at = "concluded", at
        self.tell(Concluded(sorted([*self.course, *course], key=lambda entry: entry.time)))

    def withdraw(self, principal: Principal, reason: str, at: datetime) -> None:
        """The drafter gives up what is not yet signed."""
        self._only_drafter(principal)
        self._only_in("draft", "review", "sign_off")
        actor = Actor.of(principal, self.drafting_unit)
        self.close_all(actor, at)
        self.record(actor, "撤回作废", at, opinion_of(reason))
        self.state = "withdrawn"

    def actions(self, principal: Principal) -> list[str]:
        """What the caller may do now."""
        may: list[str] = []
        drafter = principal.person == self.drafter
        if drafter and self.state == "draft":
            may += ["update", "submit"]
        if self.state == "review" and self.own_item(principal, ("review",)):
            may += ["review", "return"]
        if self.state == "sign_off" and self.own_item(principal, ("sign_off",)):
            may += ["sign_off", "return"]
        if principal.has_post(self.issuing_unit, "registrar"):
            may += {"numbered": ["dispatch"], "dispatched": ["dispatch_more", "conclude"]}.get(self.state, [])
        if drafter and self.state in ("draft", "review", "sign_off"):
            may.append("withdraw")
        return may

    def _next(self, actor: Actor, reviewers: list[str], at: datetime) -> None:
        if reviewers:
            self.state = "review"
            self.open_item("review", f"p:{reviewers[0]}", at, actor)
        else:
            self.state = "sign_off"
            self.open_item("sign_off", f"p:{self.leader}", at, actor)

    def _only_drafter(self, principal: Principal) -> None:
        if principal.person != self.drafter:
            raise forbidden("只有起草人可以进行此操作。")

    def _only_in(self, *states: str) -> None:
        if self.state not in states:
            raise wrong_state("公文已进入下一环节，不能再进行此操作，请刷新页面。")
