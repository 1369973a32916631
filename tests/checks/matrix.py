"""The object matrix: every method × everybody, against a table that is generated from few rules.

Of a step it is said who may do it (`owner`), who else may (`also`), and what those meet who may see the thing but not do this
(`known`). For everybody else follows: without a token UNAUTHENTICATED; not of a kind that the service's table names for the method
PERMISSION_DENIED; all others learn not even that there is such a thing: NOT_FOUND.
"""

from __future__ import annotations

import json
import time
import uuid
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import pymongo

from chassis.client import typed
from chassis.errors import TongbanError
from chassis.identity_types import SYSTEM_ROLES
from tests.inprocess import InProcess, PlainVerifier, token
from tests.rules.rights_table import TABLE, cells

NOT_OURS = ("pending", "used")


def cast(people: Mapping[str, list[str]]) -> dict[str, str]:
    """The people with their tokens, and those of whom there is one everywhere: without posts, three administrators, nobody."""
    made = {person: token(person, *posts) for person, posts in people.items()}
    return made | {
        "no role": token("norole"), "administrators": token("admins", roles=tuple(sorted(SYSTEM_ROLES))), "anonymous": "",
    }  # fmt: skip


@dataclass
class Matrix:
    """Asks and counts. `people`: name → token; `who`: the service's table."""

    service: InProcess
    who: Mapping[str, frozenset[str]]
    people: Mapping[str, str]
    uri: str
    cells: int = 0
    wrong: list[str] = field(default_factory=list)
    covered: set[str] = field(default_factory=set)
    bound: set[str] = field(
        default_factory=set
    )  # methods that the single record closes to some whom the table admits
    seen: Counter[str] = field(default_factory=Counter)

    def step(
        self, method: str, request: Any, owner: str, *, also: tuple[str, ...] = (),
        known: Mapping[str, str] | None = None, but: tuple[str, ...] = (),
    ) -> Any:  # fmt: skip
        """Everybody who may not tries first, as it is and with a wrong etag; then those who may; the owner's answer.

        `but`: who may as well, of what can be done once only.
        """
        self.covered.add(method)
        others = [person for person in self.people if person not in (owner, *also, *but)]
        before = self._state()
        for person in others:
            wanted = self._expected(method, person, known or {})
            self._cell(method, person, wanted, self._ask(method, request, person)[0])
            if not isinstance(request, list) and "etag" in request.DESCRIPTOR.fields_by_name:
                # Who may not know of a thing does not learn of it by a wrong guess at its revision either.
                guess = self._ask(method, _guessed(request), person)[0]
                self._cell(
                    method, person, guess if person in (known or {}) and guess == "ABORTED" else wanted, guess
                )
        if self._state() != before and self._repeated(method, request, others):
            self.wrong.append(f"{method}: a refused call had an effect")
        for person in also:
            self._cell(method, person, "OK", self._ask(method, request, person)[0])
        code, answer = self._ask(method, request, owner)
        self._cell(method, owner, "OK", code)
        return answer

    def open(
        self,
        method: str,
        request: Any,
        judge: Callable[[str, Any], bool],
        *,
        closed: Mapping[str, str] | None = None,
    ) -> None:
        """A method without an object of its own: whoever the table names gets an answer, which `judge` finds right for them."""
        self.covered.add(method)
        for person in self.people:
            wanted = self._expected(method, person, {**dict.fromkeys(self.people, "OK"), **(closed or {})})
            code, answer = self._ask(method, request, person)
            self._cell(method, person, wanted, code)
            if code == "OK" and not judge(person, answer):
                self.wrong.append(f"{method}: {person} gets what is not theirs")

    def _expected(self, method: str, person: str, known: Mapping[str, str]) -> str:
        if not self.people[person]:
            return "UNAUTHENTICATED"
        if not self.who[method] & PlainVerifier().verify(self.people[person]).callers:
            return "PERMISSION_DENIED"
        code = known.get(person, "NOT_FOUND")
        if code not in ("OK", "FAILED_PRECONDITION", "INVALID_ARGUMENT"):
            self.bound.add(method)
        return code

    def _repeated(self, method: str, request: Any, others: list[str]) -> bool:
        """Whether the state changes again by the same calls, once the service has done what earlier steps asked of it."""
        for _ in range(3):
            before = self._state()
            while time.sleep(0.5) or self._state() != before:
                before = self._state()
            for person in others:
                self._ask(method, request, person)
            # A real effect comes every time; what merely came late does so once.
            if self._state() == before:
                return False
        return True

    def _cell(self, method: str, person: str, wanted: str, got: str) -> None:
        self.cells += 1
        self.seen[got] += 1
        if wanted != got:
            self.wrong.append(f"{method} by {person}: {got} instead of {wanted}")

    def _ask(self, method: str, request: Any, person: str) -> tuple[str, Any]:
        fresh = [_fresh(one) for one in request] if isinstance(request, list) else _fresh(request)
        try:
            answer = self.service.call(
                method, iter(fresh) if isinstance(fresh, list) else fresh, self.people[person]
            )
            if hasattr(answer, "__next__"):
                answer = list(typed(answer))
        except TongbanError as problem:
            return problem.code.name, problem
        return "OK", answer

    def _state(self) -> str:
        with pymongo.MongoClient(self.uri) as client:
            database = client[f"tongban_{self.service.settings.service}"]
            names = sorted(set(database.list_collection_names()) - set(NOT_OURS))
            records = {
                f"{name}/{one['_id']}": _said(one) for name in names for one in database[name].find({})
            }
        return json.dumps(records, sort_keys=True, default=str)

    def settle(self) -> None:
        """Fail with everything that was not as the table says."""
        assert not self.wrong, self.wrong
        assert self.covered == set(self.who), set(self.who) - self.covered
        said = {
            method
            for (_, method), (_, _, whose) in cells(TABLE.read_text()).items()
            if whose and method in self.who
        }
        assert self.bound <= said, "docs/rights.md is silent about whose record it must be"


def _said(record: dict[str, Any]) -> dict[str, Any]:
    # The relay empties the outbox at any time.
    return {key: value for key, value in record.items() if key != "outbox"}


def _guessed(request: Any) -> Any:
    made = type(request)()
    made.CopyFrom(request)
    made.etag = "987654"
    return made


def _fresh(message: Any) -> Any:
    made = type(message)()
    made.CopyFrom(message)
    for one in (
        made,
        *(value for kind, value in made.ListFields() if kind.message_type and not kind.is_repeated),
    ):
        if "request_id" in one.DESCRIPTOR.fields_by_name:
            one.request_id = uuid.uuid4().hex
    return made
