"""A state machine over a document's life: whatever people do in whatever order, the rules hold.

No state without its step in the course, no number twice, no obligation open after the end, the trace names every step.
"""

from __future__ import annotations

import copy
import os
from datetime import UTC, datetime, timedelta

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from chassis.errors import TongbanError
from chassis.identity_types import Principal
from services.documents import wire
from services.documents.model.course import SYSTEM, Actor, Closed, Opened, Reassigned
from services.documents.model.elements import Elements, FileRef
from services.documents.model.incoming import Delivery, Filed
from services.documents.model.numbering import Series, document_number, incoming_number
from services.documents.model.outgoing import Concluded, Dispatched, Document, SignedOff
from services.documents.model.receiving import ENDED, Progressed

START = datetime(2026, 11, 2, 1, tzinfo=UTC)
PAGE = FileRef("送审稿.pdf", "application/pdf", "0" * 64, 10)
UNITS = ("fgw", "czj", "wjj")
PEOPLE = {
    "drafter": ("qfb-mishu:member",),
    "office": ("qfb:registrar",),
    "reviewer": ("qfb-mishu:head",),
    "second": ("qfb-mishu:head",),
    "boss": ("qfb:leader",),
    **{
        f"{unit}-{who}": (f"{unit}:{post}",)
        for unit in UNITS
        for who, post in (("clerk", "registrar"), ("boss", "leader"))
    },
    **{f"{unit}-{who}": (f"{unit}-{who}:member",) for unit in UNITS for who in ("a", "b")},
}
WHO = {name: Principal(name, posts=posts) for name, posts in PEOPLE.items()}
EVIDENCE = {
    "draft": "起草", "review": "起草送审", "sign_off": "起草送审", "signed": "签发", "numbered": "编号排版",
    "dispatched": "核发", "concluded": "办结", "withdrawn": "撤回作废",
}  # fmt: skip
UNIT_EVIDENCE = {
    "sent": "来文", "signed_for": "签收", "registered": "登记", "handling": "拟办分送", "answered": "答复",
    "concluded": "办结", "returned": "退回来文单位", "return_accepted": "同意退文",
}  # fmt: skip
person, opinion = st.sampled_from(sorted(PEOPLE)), st.sampled_from(["", "同意。", "请研究办理。"])
unit = st.sampled_from(UNITS)


class Life(RuleBasedStateMachine):
    """Anybody may try anything at any time."""

    @initialize(reply=st.booleans(), copy=st.booleans())
    def begin(self, reply: bool, copy: bool) -> None:
        """A draft, a series of numbers, and an obligation book such as tasks keeps."""
        self.now = START
        elements = Elements(
            title="关于开展检查的通知", body="正文", addressees=["fgw", "czj"], reply_required=reply
        )
        elements.copies = ["wjj"] if copy else []
        self.document = Document(
            id="d1",
            elements=elements,
            issuing_unit="qfb",
            drafting_unit="qfb-mishu",
            drafter="drafter",
            created_at=START,
        )
        self.document.record(Actor.of(WHO["drafter"]), "起草", START)
        self.deliveries: dict[str, Delivery] = {}
        self.outgoing, self.incoming = Series(id="云政办发|2026"), {name: Series(id=name) for name in UNITS}
        self.book: dict[str, bool] = {}
        self.numbers: list[str] = []

    def attempt(self, step, *given: object) -> None:
        """Try a step: it either happens whole, or is refused and changes nothing that is told."""
        before = copy.deepcopy(step.__self__.__dict__)
        try:
            step(*given)
        except TongbanError:
            # The repository throws away what a refused step has touched.
            step.__self__.__dict__ = before
        self.follow()

    def tick(self) -> datetime:
        """The next moment."""
        self.now += timedelta(minutes=7)
        return self.now

    def follow(self) -> None:
        """What relay and consumers do: the book of obligations, numbering, delivering, ending."""
        while waiting := [matter for matter in (self.document, *self.deliveries.values()) if matter.news]:
            self.take_in(waiting[0], waiting[0].news.pop(0))

    def take_in(self, matter: Document | Delivery, event: object) -> None:  # noqa: C901 - one case per kind of event
        """One event."""
        match event:
            case Opened(item):
                self.book[f"{matter.id}/{item.id}"] = True
            case Closed(item):
                assert self.book[f"{matter.id}/{item}"]
                self.book[f"{matter.id}/{item}"] = False
            case Reassigned(item):
                assert self.book[f"{matter.id}/{item.id}"]
            case SignedOff():
                number = document_number("云政办发", 2026, self.outgoing.give("d1"))
                self.document.take_number(number, PAGE, self.tick())
                self.numbers.append(number)
            case Dispatched(units):
                for name in units:
                    self.deliver(name)
            case Progressed(state):
                if (
                    state in ENDED
                    and self.document.state == "dispatched"
                    and self.document.unit_ended(matter.unit)
                ):
                    self.document.conclude(SYSTEM, [], "", self.tick())
            case Concluded():
                for delivery in self.deliveries.values():
                    delivery.lapse(self.tick())
            case Filed():
                assert matter.state == "concluded"

    def deliver(self, name: str) -> None:
        """What the consumer of the dispatch does."""
        elements, copy = self.document.elements, name in self.document.elements.copies
        delivery = Delivery(
            id=f"d1|{name}", document="d1", unit=name, issuing_unit="qfb", title=elements.title, copy=copy,
            reply_required=elements.reply_required and not copy, sent_at=self.tick(),
        )  # fmt: skip
        delivery.arrive(Actor("office", "qfb"), self.tick())
        self.deliveries[name] = delivery

    @rule(who=person, reviewers=st.sampled_from([[], ["reviewer"], ["reviewer", "second"], ["drafter"]]))
    def submit(self, who: str, reviewers: list[str]) -> None:
        self.attempt(self.document.submit, WHO[who], reviewers, "boss", PAGE, "", self.tick())

    @rule(reviewers=st.sampled_from([[], ["reviewer"], ["reviewer", "second"]]))
    def submit_rightly(self, reviewers: list[str]) -> None:
        self.submit("drafter", reviewers)

    @rule(who=person, said=opinion)
    def review(self, who: str, said: str) -> None:
        self.attempt(self.document.review, WHO[who], said, self.tick())

    @rule(who=person, said=opinion)
    def send_back(self, who: str, said: str) -> None:
        self.attempt(self.document.send_back, WHO[who], said, self.tick())

    @rule(who=st.sampled_from(["boss", "boss", "boss", "reviewer", "fgw-boss"]), said=opinion)
    def sign_off(self, who: str, said: str) -> None:
        self.attempt(self.document.sign_off, WHO[who], said, self.tick())

    @rule()
    def review_rightly(self) -> None:
        for item in self.document.open_items("review"):
            self.review(item.holder[2:], "同意。")

    @rule(who=st.sampled_from(["office", "office", "boss", "fgw-clerk"]), more=st.sampled_from([[], ["wjj"]]))
    def dispatch(self, who: str, more: list[str]) -> None:
        self.attempt(self.document.dispatch, WHO[who], more, self.tick())

    @rule(who=st.sampled_from(["office", "boss", "fgw-clerk"]))
    def conclude_early(self, who: str) -> None:
        if (
            self.document.state == "dispatched"
            and WHO[who].has_post("qfb", "registrar")
            and len(self.document.course) % 5 == 0
        ):
            self.attempt(self.document.conclude, Actor.of(WHO[who]), [], "", self.tick())

    @rule(who=person)
    def withdraw(self, who: str) -> None:
        if len(self.document.course) > 3:
            self.attempt(self.document.withdraw, WHO[who], "", self.tick())

    @rule(
        name=unit,
        what=st.sampled_from(["sign_for", "register", "return_to_sender", "conclude"]),
        said=opinion,
        other=st.booleans(),
    )
    def registrar(self, name: str, what: str, said: str, other: bool) -> None:
        delivery = self.deliveries.get(name)
        if delivery is None:
            return
        who = WHO[f"{UNITS[0] if other else name}-clerk"]

        def take() -> str:
            return incoming_number(2026, self.incoming[name].give(delivery.id))

        given = {"sign_for": (), "register": (take,), "return_to_sender": (said,), "conclude": (said,)}[what]
        self.attempt(getattr(delivery, what), who, *given, self.tick())

    @rule(name=unit, handlers=st.sampled_from([["a"], ["a", "b"], []]), reading=st.booleans())
    def pass_on(self, name: str, handlers: list[str], reading: bool) -> None:
        if name in self.deliveries:
            tokens = [f"u:{name}-{one}:member" for one in handlers]
            readers = [f"p:{name}-boss"] if reading else []
            self.attempt(
                self.deliveries[name].pass_on, WHO[f"{name}-clerk"], tokens, readers, "", None, self.tick()
            )

    @rule(
        name=unit,
        who=st.sampled_from(["a", "b", "clerk", "boss"]),
        said=opinion,
        what=st.sampled_from(["handle", "send_back", "forward"]),
    )
    def handler(self, name: str, who: str, said: str, what: str) -> None:
        if name in self.deliveries:
            given = (f"p:{name}-b", said, "") if what == "forward" else (said, "")
            self.attempt(getattr(self.deliveries[name], what), WHO[f"{name}-{who}"], *given, self.tick())

    @rule(name=unit, who=st.sampled_from(["boss", "a", "clerk"]), said=opinion)
    def read(self, name: str, who: str, said: str) -> None:
        if name in self.deliveries:
            self.attempt(self.deliveries[name].mark_read, WHO[f"{name}-{who}"], said, self.tick())

    @rule(name=unit, who=st.sampled_from(["clerk", "a"]), said=opinion)
    def answer(self, name: str, who: str, said: str) -> None:
        if name in self.deliveries:
            self.attempt(self.deliveries[name].reply, WHO[f"{name}-{who}"], said, self.tick())

    @rule(name=unit, what=st.sampled_from(["resend", "accept_return"]), said=opinion)
    def issuer(self, name: str, what: str, said: str) -> None:
        if name in self.deliveries:
            self.attempt(getattr(self.deliveries[name], what), WHO["office"], said, self.tick())

    @rule(name=unit, said=opinion)
    def urge(self, name: str, said: str) -> None:
        if name in self.deliveries:
            self.attempt(self.deliveries[name].urge, WHO["office"], said, "u1", self.tick())

    @invariant()
    def every_state_has_its_step(self) -> None:
        if hasattr(self, "document"):
            done = {entry.action for entry in self.document.course}
            evidence = {EVIDENCE[self.document.state]} | (
                {"修改重报"} if self.document.state in ("review", "sign_off") else set()
            )
            assert evidence & done
            for delivery in self.deliveries.values():
                assert UNIT_EVIDENCE[delivery.state] in {entry.action for entry in delivery.course}

    @invariant()
    def nothing_is_owed_after_the_end(self) -> None:
        if not hasattr(self, "document"):
            return
        for matter in (self.document, *self.deliveries.values()):
            told = {key for key, still in self.book.items() if still and key.startswith(f"{matter.id}/")}
            assert told == {f"{matter.id}/{item.id}" for item in matter.open_items()}
        if self.document.state in ("concluded", "withdrawn"):
            assert not any(self.book.values())

    @invariant()
    def something_is_owed_until_the_end(self) -> None:
        """A matter that has not ended waits for somebody; otherwise it would be forgotten."""
        if hasattr(self, "document") and self.document.state in (
            "review",
            "sign_off",
            "numbered",
            "dispatched",
        ):
            assert any(self.book.values())
        for delivery in getattr(self, "deliveries", {}).values():
            assert delivery.state in ENDED or delivery.open_items()

    @invariant()
    def numbers_are_unique_and_dense(self) -> None:
        if hasattr(self, "document"):
            assert len(self.numbers) == len(set(self.numbers)) <= 1
            assert self.outgoing.last == len(self.numbers)

    @invariant()
    def the_trace_names_every_step(self) -> None:
        if not hasattr(self, "document"):
            return
        for matter in (self.document, *self.deliveries.values()):
            times = [entry.time for entry in matter.course]
            assert times == sorted(times)
            people = {entry.person for entry in matter.course}
            closed = {item.closed_by for item in matter.items if item.outcome in ("done", "returned")}
            assert closed <= people

    @invariant()
    def others_never_see_it(self) -> None:
        """# check 23: a receiving unit is no reader of the outgoing side, nor of another unit's delivery."""
        if not hasattr(self, "document"):
            return
        for name, delivery in self.deliveries.items():
            for other in UNITS:
                for who in (f"{other}-clerk", f"{other}-boss", f"{other}-a"):
                    assert not WHO[who].tokens & self.document.readers()
                    if other != name:
                        assert not WHO[who].tokens & delivery.readers()
            assert not WHO["office"].tokens & delivery.readers()


TestLife = Life.TestCase
# The full form of check 23: TONGBAN_HISTORIES=10000.
HISTORIES = int(os.environ.get("TONGBAN_HISTORIES", "150"))
TestLife.settings = settings(
    max_examples=HISTORIES,
    stateful_step_count=60,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)


def test_the_state_machine_reaches_the_end() -> None:
    """The line can be walked to its end by the rules of the machine alone, and what is filed carries the whole course."""
    life = Life()
    life.begin(reply=True, copy=True)
    life.submit_rightly(["reviewer"])
    life.review_rightly()
    life.sign_off("boss", "同意。")
    life.dispatch("office", [])
    for name in ("fgw", "czj"):
        life.registrar(name, "sign_for", "", other=False)
        life.registrar(name, "register", "", other=False)
        life.pass_on(name, ["a", "b"], reading=True)
        life.handler(name, "a", "同意。", "handle")
        life.handler(name, "b", "同意。", "handle")
        life.answer(name, "clerk", "同意。")
        life.read(name, "boss", "")
        assert life.deliveries[name].state == "concluded"
    for what in ("sign_for", "register", "conclude"):
        life.registrar("wjj", what, "", other=False)
    assert life.document.state == "concluded"
    filed = wire.document_to_wire(life.document, Concluded(life.document.course))
    assert [entry.action for entry in filed.course] == [
        "起草",
        "起草送审",
        "审核",
        "签发",
        "编号排版",
        "核发",
        "办结",
    ]
