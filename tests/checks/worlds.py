"""Registers filled with invented records, in two worlds: everything, and only what one reader may see.

Who may see what is asked of the rules for single records (access_* and the aggregates), never of the index.
"""

from __future__ import annotations

import contextlib
from dataclasses import replace
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

from google.protobuf.json_format import MessageToDict
from tongban.documents.v1 import documents_pb2
from tongban.knowledge.v1 import knowledge_pb2

from chassis.errors import NotFound
from chassis.identity_types import Principal
from chassis.words import GENRES
from services.documents import access as document_access
from services.documents import lists
from services.documents import registry as documents
from services.documents.model.course import Actor, Entry
from services.documents.model.elements import Elements
from services.documents.model.incoming import Delivery
from services.documents.model.outgoing import Document
from services.knowledge import commands as knowledge
from services.knowledge import registry as knowledge_registry
from services.knowledge import rpc as knowledge_rpc
from services.knowledge.model.description import KINDS
from services.knowledge.model.item import Content, Item, Version
from services.tasks import queries as tasks
from services.tasks import registry as tasks_registry
from services.tasks.model import Closing, Facts, Holding, Obligation
from services.tasks.statistics import statistics
from tests.checks.world import ROLES, START, UNITS, WORDS, World


class Documents(World):
    """The registers of outgoing and incoming documents."""

    kinds = ("documents", "deliveries")

    def invent(self, kind: str, number: int) -> Any:
        org, at = self.organisation(), self.moment(number)
        if kind == "documents":
            made = Document(
                id=f"d{number}", revision=1, issuing_unit=org, drafting_unit=f"{org}-zh", drafter=self.person(), created_at=at,
                elements=Elements(
                    genre=self.dice.choice(GENRES), title=f"关于{self.text()}的通知", body=self.text(8),
                    level=self.dice.choice((0, 0, 0, 1, 2, 3)),
                ),
                state=self.dice.choice(("draft", "review", "numbered", "dispatched", "concluded")),
                number=self.dice.choice(("", f"{org}发〔2026〕{number}号")), units=[self.organisation()],
            )  # fmt: skip
        else:
            made = Delivery(
                id=f"d{number}|{org}", revision=1, document=f"d{number}", unit=org, issuing_unit=self.organisation(),
                title=f"关于{self.text()}的来文", document_number=f"外发〔2026〕{number}号", genre=self.dice.choice(GENRES),
                level=self.dice.choice((0, 0, 1, 2)), sent_at=at, state=self.dice.choice(("sent", "registered", "concluded")),
            )  # fmt: skip
        for _ in range(self.dice.randint(0, 3)):
            holder = self.dice.choice((f"p:{self.person()}", f"u:{self.unit()}:{self.dice.choice(ROLES)}"))
            made.open_item("handle", holder, at, Actor(self.person(), org))
        made.course = [Entry(at, self.person(), org, "审核") for _ in range(self.dice.randint(0, 2))]
        return made

    def register(self, folder: Any) -> Any:
        return documents.registry(SimpleNamespace(settings=SimpleNamespace(own_var=folder)))

    def visible(self, kind: str, one: Any, reader: Principal) -> bool:
        if kind == "documents":
            return document_access.may_read(one, reader)
        desk = SimpleNamespace(deliveries=SimpleNamespace(get=lambda _key: one))
        with contextlib.suppress(NotFound):
            return bool(document_access.access_delivery(desk, reader, one.id))
        return False

    def corpus(self, one: Any) -> str:
        return (
            f"{one.elements.title}{one.elements.body}{one.number}"
            if isinstance(one, Document)
            else f"{one.title}{one.document_number}"
        )

    def question(self, reader: Principal) -> Any:
        book = self.dice.choice(("outgoing", "incoming"))
        more = self.dice.choice(
            (
                {},
                {},
                {"state": self.dice.choice(("draft", "sent", "concluded"))},
                {"genre": self.dice.choice(GENRES)},
                {"unit": self.organisation()},
                {"mine": "drafted"},
            )
        )
        return book, documents_pb2.ListRequest(
            words=self.words(), page_size=self.dice.choice((5, 20, 100)), **more
        )

    def ask(self, register: Any, question: Any, reader: Principal, after: str) -> tuple[dict, dict, str]:
        book, request = question
        request.page_token = after
        desk = SimpleNamespace(registry=register)
        answer = lists.listing(desk, request, book, "/")
        return (
            {row.id: MessageToDict(row) for row in answer.rows},
            {"total": answer.total, "states": dict(answer.states)},
            answer.next_page_token,
        )


class Tasks(World):
    """Obligations: what is sent, what a unit owes, what is done, and the figures."""

    kinds = ("obligations",)

    def invent(self, kind: str, number: int) -> Any:
        at, sender = self.moment(number), self.person()
        made = Obligation(id=f"documents|{number}|1", revision=1)
        kind = self.dice.choice(("documents.handle", "meetings.receipt", "tasks.task"))
        facts = Facts(
            sequence=1, kind=kind, action="办理", title=self.text(), link="/", sender=sender,
            sender_unit=self.people[sender].unit, urgency="", level=self.dice.choice((0, 0, 0, 1, 2)), opened_at=at,
            due_at=at + timedelta(days=3) if self.dice.random() < 0.5 else None, matter=f"m{number}", on_behalf_of="",
        )  # fmt: skip
        for sequence in range(1, self.dice.randint(2, 4)):
            holder = self.dice.choice((f"p:{self.person()}", f"u:{self.unit()}:{self.dice.choice(ROLES)}"))
            made.open(facts, Holding(sequence, holder, sender, at))
        if self.dice.random() < 0.5:
            made.close(Closing(9, "done", self.person(), at + timedelta(days=self.dice.choice((1, 5)))))
        return made

    def register(self, folder: Any) -> Any:
        parts = SimpleNamespace(settings=SimpleNamespace(own_var=folder), directory=self.directory)
        return tasks_registry.registry(parts)

    def visible(self, kind: str, one: Any, reader: Principal) -> bool:
        if one.facts.level > reader.clearance:
            return False
        # Who closed it for a post that was theirs then keeps it among what they did.
        if one.closing and one.closing.by == reader.person:
            return True
        with contextlib.suppress(NotFound):
            return bool(tasks.access_obligation(one, self.directory, reader))
        return False

    def corpus(self, one: Any) -> str:
        return one.facts.title

    def question(self, reader: Principal) -> Any:
        wanted = tasks.Wanted(
            words=self.words(), state=self.dice.choice(("open", "closed", "all")), overdue=self.dice.random() < 0.2,
            kind=self.dice.choice(("", "", "documents", "tasks.task")), size=self.dice.choice((5, 20, 100)),
        )  # fmt: skip
        led = [
            unit
            for unit, *_ in UNITS
            if any(
                reader.has_post(one.unit, role)
                for one in self.directory.upward(unit)
                for role in ("head", "leader")
            )
        ]
        sent = [
            unit
            for unit, *_ in UNITS
            if any(reader.has_post(unit, role) for role in ("registrar", "head", "leader"))
        ]
        kind = self.dice.choice(
            ("done", "sent", *(("unit", "unit", "figures") if led else ()), *(("sent for",) if sent else ()))
        )
        return kind, wanted, self.dice.choice(led) if led else "", self.dice.choice(sent) if sent else ""

    def ask(self, register: Any, question: Any, reader: Principal, after: str) -> tuple[dict, dict, str]:
        kind, wanted, led, sent = question
        wanted = replace(wanted, after=after)
        if kind == "figures":
            whole, parts, kinds = statistics(register, self.directory, reader, led, START, None)
            return {}, {"whole": whole, "parts": parts, "kinds": kinds}, ""
        if kind == "done":
            found = tasks.list_done(register, reader, wanted, None, None)
        elif kind == "unit":
            found = tasks.list_unit(register, self.directory, reader, wanted, led)
        else:
            found = tasks.list_sent(register, reader, wanted, sent if kind == "sent for" else "")
        return (
            {row.obligation: row for row in found.rows},
            {"total": found.total, "kinds": found.kinds},
            found.next,
        )


class Knowledge(World):
    """Search with snippets and facets, and suggestions."""

    kinds = ("items",)

    def invent(self, kind: str, number: int) -> Any:
        at, org = self.moment(number), self.organisation()
        tokens = [
            "all",
            f"u:{org}",
            f"u:{self.unit()}",
            f"u:{self.unit()}:{self.dice.choice(ROLES)}",
            f"p:{self.person()}",
        ]
        body = self.text(8) + "。" + self.text(8)
        return Item(
            id=f"k{number}", revision=1, title=f"{self.text()}办法", kind=self.dice.choice(list(KINDS)), source="upload", matter=f"k{number}",
            created_at=at, updated_at=at, created_by=self.person(), keeper=org, issuer=f"{self.text(1)}办公室", date=at,
            document_number=f"云政发〔2026〕{number}号", level=self.dice.choice((0, 0, 0, 1, 2, 3)), categories=(self.dice.choice(WORDS),),
            readers=tuple(self.dice.sample(tokens[self.dice.choice((0, 1, 1, 1)) :], 2)),
            state=self.dice.choice(("current", "current", "current", "withdrawn")),
            versions=[Version(1, at, "", "", Content("x", text=body, excerpt=body[:20]))],
        )  # fmt: skip

    def register(self, folder: Any) -> Any:
        return knowledge_registry.open_registry(folder, SimpleNamespace())

    def visible(self, kind: str, one: Any, reader: Principal) -> bool:
        return one.readable_by(reader)

    def corpus(self, one: Any) -> str:
        return f"{one.title}{one.content.text}{one.document_number}{one.issuer}"

    def question(self, reader: Principal) -> Any:
        if self.dice.random() < 0.2:
            return knowledge_pb2.SuggestRequest(prefix=self.words(), page_size=20)
        more = self.dice.choice((
            {}, {}, {"kind": self.dice.choice(list(KINDS))}, {"category": self.dice.choice(WORDS)}, {"year": "2026"},
            {"keeper": self.organisation()}, {"withdrawn": True}, {"order": "date_up"},
        ))  # fmt: skip
        return knowledge_pb2.SearchItemsRequest(
            words=self.words(), page_size=self.dice.choice((5, 20, 100)), **more
        )

    def ask(self, register: Any, question: Any, reader: Principal, after: str) -> tuple[dict, dict, str]:
        servicer = knowledge_rpc.Knowledge(knowledge.Shelf(None, None, register, self.directory))
        if isinstance(question, knowledge_pb2.SuggestRequest):
            return {}, {"titles": list(servicer.Suggest(question, None).titles)}, ""
        question.page_token = after
        answer = servicer.SearchItems(question, None)
        rows = {hit.item.item: MessageToDict(hit) for hit in answer.hits}
        return (
            rows,
            {"total": answer.total, "facets": [MessageToDict(facet) for facet in answer.facets]},
            answer.next_page_token,
        )
