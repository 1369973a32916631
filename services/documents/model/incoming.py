"""A delivery (收文): what one unit does with a document it received. Rules only, no I/O.

registered → handling → answered → concluded. What comes before is between the offices of the two units: receiving.py.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from chassis.errors import forbidden, invalid, wrong_state
from chassis.identity_types import Principal
from services.documents.model.course import SYSTEM, Actor, WorkItem, opinion_of
from services.documents.model.elements import FILES, FileRef
from services.documents.model.receiving import ENDED, Received

HANDLERS, READERS = 30, 100


@dataclass(frozen=True)
class Filed:
    """The unit's own matter has ended and is filed with the unit's course."""


@dataclass(kw_only=True)
class Delivery(Received):
    """One document at one unit, with all that the unit does about it."""

    proposal: str = ""
    answer: str = ""
    answer_files: list[FileRef] = field(default_factory=list)
    answered_at: datetime | None = None
    answered_by: str = ""

    def pass_on(
        self,
        principal: Principal,
        handlers: list[str],
        readers: list[str],
        proposal: str,
        due_at: datetime | None,
        at: datetime,
    ) -> None:
        """拟办分送: handlers and readers are audience tokens; the first handler is the lead."""
        self._only_in("registered", "handling", "answered")
        actor = self._registrar(principal)
        if len(set(handlers)) != len(handlers) or len(handlers) > HANDLERS:
            raise invalid(handlers=f"承办不能重复，且不超过 {HANDLERS} 个。")
        if len(readers) > READERS:
            raise invalid(readers=f"阅知不能超过 {READERS} 人。")
        said = opinion_of(proposal)
        there = {item.holder for item in self.open_items("handle", "read")}
        handlers, readers = [h for h in handlers if h not in there], [r for r in readers if r not in there]
        if not handlers and not readers:
            raise invalid(handlers="请至少选择一个承办或阅知对象。")
        if not handlers and self.reply_required and not self._handlings():
            raise invalid(handlers="来文要求答复，请至少选择一个承办部门。")
        self._close("pass_on", actor, at)
        self.record(actor, "拟办分送", at, said)
        self.proposal = said or self.proposal
        led = any(item.lead and item.outcome != "returned" for item in self._handlings())
        due = due_at or self.due_at
        for index, holder in enumerate(handlers):
            self.open_item("handle", holder, at, actor, lead=index == 0 and not led, due_at=due)
        for holder in dict.fromkeys(readers):
            self.open_item("read", holder, at, actor)
        if self.state == "registered":
            self._to("handling")
        self._advance(actor, at)

    def handle(self, principal: Principal, opinion: str, wanted: str, at: datetime) -> None:
        """One handler is done."""
        item = self.need_item(principal, "handle", wanted=wanted)
        said = opinion_of(opinion, required="请填写办理结果。")
        actor = Actor.of(principal, self._unit_of(item, principal))
        self.close_item(item, actor, at, opinion=said)
        self.record(actor, "主办办结" if item.lead else "协办办结", at, said)
        self._to(self.state)
        self._advance(actor, at)

    def forward(self, principal: Principal, holder: str, opinion: str, wanted: str, at: datetime) -> None:
        """转办: somebody else is to handle it; the clock runs on."""
        item = self.need_item(principal, "handle", wanted=wanted)
        if any(other.holder == holder for other in self.open_items("handle")):
            raise invalid(to="对方已在承办。")
        actor = Actor.of(principal, self._unit_of(item, principal))
        self.record(actor, "转办", at, opinion_of(opinion))
        self.reassign_item(item, holder, actor, at)

    def send_back(self, principal: Principal, reason: str, wanted: str, at: datetime) -> None:
        """A handler returns it to the registrars, who pass it on anew."""
        item = self.need_item(principal, "handle", wanted=wanted)
        said = opinion_of(reason, required="退回须写明原因。")
        actor = Actor.of(principal, self._unit_of(item, principal))
        self.close_item(item, actor, at, "returned", said)
        self.record(actor, "退回文书", at, said, "退回")
        if not self.open_items("pass_on"):
            self.open_item("pass_on", self.registrars, at, actor)

    def mark_read(self, principal: Principal, opinion: str, at: datetime) -> None:
        """已阅."""
        item = self.need_item(principal, "read")
        actor, said = Actor.of(principal, self._unit_of(item, principal)), opinion_of(opinion)
        self.close_item(item, actor, at, opinion=said)
        self.record(actor, "阅知", at, said or "已阅")
        self._advance(actor, at)

    def attach(self, principal: Principal, file: FileRef) -> None:
        """Add a file to the answer that is being prepared."""
        self._only_in("registered", "handling")
        if not self.may_answer(principal):
            raise forbidden("只有本单位文书或主办可以添加答复附件。")
        if len(self.answer_files) >= FILES:
            raise invalid(file=f"附件不能超过 {FILES} 个。")
        self.answer_files = [old for old in self.answer_files if old.digest != file.digest] + [file]

    def reply(self, principal: Principal, text: str, at: datetime) -> None:
        """答复 to the issuing unit, once every handler is done."""
        self._only_in("handling", "registered")
        if not self.may_answer(principal):
            raise forbidden("只有本单位文书或主办可以答复。")
        said = opinion_of(text, required="请填写答复内容。")
        if self.open_items("handle"):
            raise wrong_state(
                "尚有承办部门未办结，暂不能答复。", "HANDLING_OPEN", "Some handlers are not done."
            )
        actor = Actor.of(principal, self.unit)
        for item in self.open_items("answer", "pass_on"):
            self.close_item(item, actor, at, opinion=said)
        self.record(actor, "答复", at, said)
        self.answer, self.answered_at, self.answered_by = said, at, principal.person
        self._to("answered")
        self._advance(actor, at)

    def conclude(self, principal: Principal, opinion: str, at: datetime) -> None:
        """办结 by the registrar; open readings lapse."""
        self._only_in("registered", "handling", "answered")
        actor = self._registrar(principal)
        if self.open_items("handle"):
            raise wrong_state(
                "尚有承办部门未办结，不能办结。", "HANDLING_OPEN", "Some handlers are not done."
            )
        if self.reply_required and not self.answered_at:
            raise wrong_state(
                "来文要求答复，请先答复再办结。", "ANSWER_MISSING", "An answer is required first."
            )
        self._end(actor, at, opinion_of(opinion))

    def lapse(self, at: datetime) -> bool:
        """The issuing unit has ended the matter: whatever is open here ends too. False when it had ended already."""
        if self.state in ENDED:
            return False
        self._end(SYSTEM, at, "发文单位已办结")
        return True

    def may_answer(self, principal: Principal) -> bool:
        """Whether the caller may prepare and give the answer: a registrar, or who handled it as lead."""
        # Who sent the lead back did not handle it, and speaks no more for the unit.
        lead = any(
            item.lead and item.outcome != "returned" and item.holder in principal.tokens
            for item in self._handlings()
        )
        return lead or principal.has_post(self.unit, "registrar")

    def actions(self, principal: Principal) -> list[str]:
        """What the caller may do now."""
        may: list[str] = []
        handling = bool(self.open_items("handle"))
        if self.own_item(principal, ("handle",)):
            may += ["handle", "forward", "send_back"]
        if self.own_item(principal, ("read",)):
            may.append("mark_read")
        if principal.has_post(self.unit, "registrar"):
            may += {
                "sent": ["sign_for", "return_to_sender"],
                "signed_for": ["register", "return_to_sender"],
                "registered": ["pass_on", "return_to_sender"],
                "handling": ["pass_on"],
                "answered": ["pass_on"],
            }.get(self.state, [])
            unanswered = self.reply_required and not self.answered_at
            if self.state in ("registered", "handling", "answered") and not handling and not unanswered:
                may.append("conclude")
        if self.state in ("handling", "registered") and not handling and self.may_answer(principal):
            may.append("answer")
        return may

    def _handlings(self) -> list[WorkItem]:
        return [item for item in self.items if item.kind == "handle"]

    def _advance(self, actor: Actor, at: datetime) -> None:
        """After any step: ask for the answer when handling is over, end when nothing is left."""
        if self.open_items("handle", "pass_on"):
            return
        if self.state == "handling" and self.reply_required and not self.answered_at:
            if not self.open_items("answer"):
                self.open_item("answer", self.registrars, at, actor, due_at=self.due_at)
            return
        if self.state in ("handling", "answered") and not self.open_items():
            self._end(SYSTEM, at, "")

    def _end(self, actor: Actor, at: datetime, opinion: str) -> None:
        for item in self.open_items():
            self.close_item(item, actor, at, "withdrawn")
        self.record(actor, "办结", at, opinion)
        self.concluded_at = at
        self._to("concluded")
        self.tell(Filed())

    def _unit_of(self, item: WorkItem, principal: Principal) -> str:
        return item.holder.split(":")[1] if item.holder.startswith("u:") else principal.unit
