"""The whole API under schemathesis, as every role: `make fuzz MINUTES=10` against a platform that runs in TONGBAN_VAR.

Nothing may answer 5xx, or a status that its description does not name; every refusal is problem+json; every answer fits its schema.
"""

from __future__ import annotations

import argparse
import contextlib
import itertools
import json
import random
import sys
import threading
import time
import warnings
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, seed, settings, strategies
from schemathesis import GenerationMode
from schemathesis.core.failures import Failure, FailureGroup
from schemathesis.core.transport import Response

from chassis.errors import Unavailable
from gateway import openapi, routes

ROLES = {
    "clerk": "qfb.wenshu", "drafter": "qfb.mishu1", "leader": "qfb.zhuren", "other clerk": "fgw.wenshu",
    "system administrator": "sysadmin", "security administrator": "secadmin", "auditor": "auditor", "nobody": "",
}  # fmt: skip
# Writes that would change the district under the feet of other tests: there only what cannot be accepted is sent.
DELICATE = {
    "portal_DirectoryService_SaveUnits",
    "portal_DirectoryService_SavePeople",
    "portal_AppService_SaveApp",
    "portal_AppService_RemoveApp",
}
LONGEST = 2000  # characters before they are encoded
LISTS = {
    "document": ("/api/v1/documents/outgoing", "rows", "id"), "delivery": ("/api/v1/documents/incoming", "rows", "id"),
    "item": ("/api/v1/knowledge/items", "hits", "item"), "meeting": ("/api/v1/meetings/meetings", "meetings", "meeting"),
    "task": ("/api/v1/tasks/tasks", "tasks", "task"), "app": ("/api/v1/portal/apps", "apps", "app"),
}  # fmt: skip


@dataclass
class Report:
    """What was sent and what came back; `wrong`: kind of failure → the first example."""

    sent: Counter[str] = field(default_factory=Counter)
    answers: Counter[int] = field(default_factory=Counter)
    wrong: dict[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        roles = ", ".join(f"{role} {number}" for role, number in sorted(self.sent.items()))
        codes = ", ".join(f"{code} x {number}" for code, number in sorted(self.answers.items()))
        return f"{self.sent.total()} requests ({roles}); answers {codes}; {len(self.wrong)} kinds of failure"


class Fuzzer:
    """One platform under fire. tokens: username → access token; known: whether writes may hit what is really there."""

    def __init__(self, url: str, ca: str, tokens: Any, number: int, *, known: bool) -> None:
        self._url, self._tokens, self._seed, self._known = url, tokens, number, known
        self._ca = ca
        schema = schemathesis.openapi.from_dict(openapi.describe(routes.load(), url))
        self._operations = [found.ok() for found in schema.get_all_operations()]
        self._ids: dict[str, list[str]] = {}
        self.report, self._lock = Report(), threading.Lock()

    def run(self, seconds: float) -> Report:
        """Every role in a thread of its own, until the time is over."""
        # Imports a module of hypothesis' own at its first use, of which several threads at once would get a half.
        strategies.randoms().validate()
        end = time.monotonic() + seconds
        threads = [
            threading.Thread(target=self._as_role, args=(role, user, end)) for role, user in ROLES.items()
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(seconds + 60)
        return self.report

    def _as_role(self, role: str, user: str, end: float) -> None:
        dice = random.Random(f"{self._seed} {role}")
        with requests.Session() as session:
            session.verify = self._ca
            for turn in itertools.count():
                operations = list(self._operations)
                dice.shuffle(operations)
                for operation in operations:
                    for mode in (GenerationMode.NEGATIVE, GenerationMode.POSITIVE):
                        if time.monotonic() > end:
                            return
                        delicate = operation.definition.raw["operationId"] in DELICATE and not self._known
                        if delicate and mode is GenerationMode.POSITIVE:
                            continue
                        self._operation(session, role, user, operation, mode, turn, dice, end)

    def _operation(
        self,
        session: requests.Session,
        role: str,
        user: str,
        operation: Any,
        mode: GenerationMode,
        turn: int,
        dice: random.Random,
        end: float,
    ) -> None:
        # The first round asks everything once or twice, the next ones go deeper.
        examples = 2 if turn == 0 else 15

        @seed(f"{self._seed} {turn} {role}")
        @settings(
            max_examples=examples,
            database=None,
            deadline=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(case=operation.as_strategy(generation_mode=mode))
        def ask(case: Any) -> None:
            # Once the time is over the rest of the examples is let go.
            if time.monotonic() < end:
                self._one(session, role, user, case, dice)

        try:
            ask()
        except Exception as problem:  # noqa: BLE001 - it is reported
            # What cannot be generated at all (a schema without a wrong value) is no fault of the platform's, nor is Python's own
            # SystemError, which 3.11 raises at times where Hypothesis compiles deep expressions.
            parts = getattr(problem, "exceptions", ())
            theirs = any(isinstance(one, SystemError) for one in (problem, *parts))
            if (
                not theirs
                and "Unsatisfiable" not in type(problem).__name__
                and "skip" not in str(problem).lower()
            ):
                inner = [repr(one) for one in parts]
                self._note(f"fuzzer: {type(problem).__name__}", f"{operation.label}: {problem} {inner}"[:900])

    def _one(self, session: requests.Session, role: str, user: str, case: Any, dice: random.Random) -> None:
        reading = case.operation.method.upper() == "GET"
        if (reading or self._known) and dice.random() < 0.5:
            for name in case.path_parameters or {}:
                if ids := self._some(session, name):
                    case.path_parameters[name] = dice.choice(ids)
        headers = {"Authorization": f"Bearer {self._tokens(user)}"} if user else {}
        if len(json.dumps([case.query, case.path_parameters], default=repr)) > LONGEST:
            return  # an address of more than 8 kB is refused by the edge before it knows whose it is
        try:
            answer = case.call(
                base_url=self._url,
                session=session,
                headers=headers,
                verify=self._ca,
                timeout=30,
                allow_redirects=False,
            )
        except (ValueError, requests.exceptions.InvalidHeader, UnicodeError):
            return  # what no HTTP library can send
        except requests.exceptions.RequestException as problem:
            self._note(f"{case.operation.label}: no answer ({type(problem).__name__})", str(problem)[:300])
            return
        with self._lock:
            self.report.sent[role] += 1
            self.report.answers[answer.status_code] += 1
        for complaint in complaints(case.operation, answer):
            self._note(
                f"{case.operation.label}: {complaint}",
                f"{role}: {_shown(case)} → {answer.status_code} {answer.text[:300]}",
            )

    def _some(self, session: requests.Session, name: str) -> list[str]:
        if name in LISTS and name not in self._ids:
            path, rows, key = LISTS[name]
            answer = session.get(
                self._url + path,
                headers={"Authorization": f"Bearer {self._tokens('qfb.wenshu')}"},
                verify=self._ca,
                timeout=30,
            )
            found = answer.json().get(rows, []) if answer.status_code == 200 else []
            self._ids[name] = [row[key] for row in found if key in row]
        return self._ids.get(name, [])

    def _note(self, kind: str, example: str) -> None:
        with self._lock:
            self.report.wrong.setdefault(kind, example)


def complaints(operation: Any, answer: Response) -> list[str]:
    """What is wrong with an answer."""
    status, kind = answer.status_code, answer.headers.get("content-type", [""])
    kind = kind[0] if isinstance(kind, list) else kind
    found = []
    if status >= 500 and not (status == 503 and "BUSY" in answer.text):
        found.append(f"answered {status}")
    if str(status) not in operation.definition.raw["responses"]:
        found.append(f"status {status} is not described")
    if status >= 400:
        if not kind.startswith("application/problem+json"):
            return [*found, f"{status} is not problem+json but {kind}"]
        problem = answer.json()
        missing = {"type", "title", "status", "detail", "reason", "request_id"} - set(problem)
        if missing or not any("\u4e00" <= sign <= "\u9fff" for sign in problem.get("detail", "")):
            found.append(f"a problem without {missing or 'a Chinese sentence'}")
    elif status == 200:
        try:
            operation.validate_response(answer)
        except (Failure, FailureGroup) as problem:
            found.append(f"200 does not fit its schema: {str(problem)[:200]}")
    return found


def _shown(case: Any) -> str:
    told = {
        "path": case.path_parameters,
        "query": case.query,
        "headers": dict(case.headers or {}),
        "body": case.body,
    }
    return f"{case.method} {json.dumps(told, ensure_ascii=True, default=repr)[:500]}"


def lasting(people: Any) -> Callable[[str], str]:
    """Tokens of the roles that are renewed as long as that can be had: as an administrator, the fuzz resets its own passwords."""
    last = {user: people.token(user) for user in filter(None, ROLES.values())}

    def token(user: str) -> str:
        with contextlib.suppress(Unavailable):
            last[user] = people.token(user)
        return last[user]

    return token


def main() -> int:
    """The command."""
    from chassis.settings import settings as of_process
    from deploy.demo.acting import People
    from deploy.local import state

    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parsed = parser.parse_args()
    own = of_process()
    env = state.read(own.var)["env"]
    warnings.simplefilter("ignore")
    people = People(own)
    fuzzer = Fuzzer(
        env["TONGBAN_PUBLIC_URL"], f"{own.var}/tls/ca.crt", lasting(people), parsed.seed, known=True
    )
    report = fuzzer.run(parsed.minutes * 60)
    print(f"check 93: seed {parsed.seed}: {report}")
    for kind, example in sorted(report.wrong.items()):
        print(f"  {kind}\n    {example}")
    return 1 if report.wrong else 0


if __name__ == "__main__":
    sys.exit(main())
