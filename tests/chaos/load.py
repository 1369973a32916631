"""A light, steady load of the whole line: documents from draft to registration, tasks, bookings, search, pages, the login page.

with Load(stack, people, browsers) as load: … what is done to the platform …
load.notes holds what the clients saw; tests.chaos.audit says whether anything was lost or done twice.
"""

from __future__ import annotations

import itertools
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, Self

import httpx
import pymongo

from tests.chaos.honest import Client, Notes, NotInTime
from tests.checks.platform import subject

PACE = 0.15  # seconds between two steps of one client
DRAFTER, REVIEWER, LEADER, REGISTRAR = "qfb.mishu1", "qfb.mishu", "qfb.zhuren", "qfb.wenshu"
RECEIVERS = ("fgw", "czj")
# Bookings lie far from what the demonstration books, and as far ahead as meetings may be called.
ROOMS, FIRST_DAY, DAYS, HALF_HOURS = ("room-401", "room-301"), 200, 160, 48
# A platform that is kept holds the documents of earlier runs, and audits look for their titles.
_RUN = uuid.uuid4().hex[:6]
_numbers = itertools.count(1)

# What a client needs of the platform, function by function: whatever else is away, it works.
EVERYWHERE = frozenset({"edge", "mongo"})
NEEDS: dict[str, frozenset[str]] = {
    "documents": EVERYWHERE | {"gateway-web", "documents-serve"},
    "tasks": EVERYWHERE | {"gateway-web", "tasks-serve"},
    "meetings": EVERYWHERE | {"gateway-web", "meetings-serve"},
    "knowledge": EVERYWHERE | {"gateway-web", "knowledge-serve"},
    "home page": EVERYWHERE | {"gateway-web", "portal-pages", "portal-serve"},
    "documents page": EVERYWHERE | {"gateway-web", "documents-pages", "documents-serve"},
    "tasks page": EVERYWHERE | {"gateway-web", "tasks-pages", "tasks-serve"},
    "meetings page": EVERYWHERE | {"gateway-web", "meetings-pages", "meetings-serve"},
    "knowledge page": EVERYWHERE | {"gateway-web", "knowledge-pages", "knowledge-serve"},
    "stream": EVERYWHERE | {"gateway-stream", "nats"},
    "login page": frozenset({"edge", "keycloak"}),
}
PAGES = {
    "home page": "/", "documents page": "/documents/outgoing", "tasks page": "/tasks/", "meetings page": "/meetings/",
    "knowledge page": "/knowledge/",
}  # fmt: skip


def free_slots(stack: Any) -> Iterator[tuple[str, datetime]]:
    """Rooms and begins of half hours that nobody has booked: a platform that is kept holds the bookings of earlier runs."""
    with pymongo.MongoClient(stack.env["TONGBAN_MONGO_URI"], tz_aware=True) as store:
        taken = {
            (day["_id"].partition("|")[0], one["start"])
            for day in store["tongban_meetings"].room_days.find()
            for one in day["bookings"]
        }
    midnight = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    for day, half, room in itertools.product(range(FIRST_DAY, FIRST_DAY + DAYS), range(HALF_HOURS), ROOMS):
        start = midnight + timedelta(days=day, minutes=30 * half)
        if (room, start) not in taken:
            yield room, start


class Load:
    """Clients at work, each in a thread of its own, as long as the with-block lasts."""

    def __init__(self, stack: Any, people: Any, browsers: Callable[[str], Any], pace: float = PACE) -> None:
        self._stack, self._people, self._pace = stack, people, pace
        # Signed in before anything is broken, as people are.
        self._pages, self._listener = browsers(REGISTRAR), browsers("fgw.wenshu")
        self._person = {
            user: subject(people.token(user))
            for user in (DRAFTER, REVIEWER, LEADER, REGISTRAR, "qfb.zonghe", "qfb.xinxi", *(f"{one}.wenshu" for one in RECEIVERS))
        }  # fmt: skip
        self._slots = free_slots(stack)
        self.notes = Notes()
        self.problems: list[BaseException] = []
        self._stop = threading.Event()
        self._threads: list[threading.Thread] = []

    def __enter__(self) -> Self:
        jobs = (self._documents, self._tasks, self._meetings, self._searches, self._read_pages, self._others)
        for job in jobs:
            thread = threading.Thread(target=self._again_and_again, args=(job,), name=job.__name__)
            self._threads.append(thread)
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(180)
        if self.problems:
            raise self.problems[0]

    def settled(self, count: int = 2, seconds: float = 60.0) -> None:
        """Wait until every function has worked so often in a row from now on."""
        began = time.monotonic()

        def steady() -> bool:
            since = self.notes.since(began)
            last = {name: [one for one in since if one.function == name][-count:] for name in NEEDS}
            return all(len(found) == count and all(one.good for one in found) for found in last.values())

        while not steady():
            if self.problems:
                raise self.problems[0]
            if time.monotonic() > began + seconds:
                bad = {one.function: one.trouble for one in self.notes.since(began) if not one.good}
                raise NotInTime(f"not everything works again after {seconds} s: {bad}")
            time.sleep(0.05)

    def _again_and_again(self, job: Callable[[Client], None]) -> None:
        client = Client(self._stack, self._people, self.notes, self._stop)
        try:
            while not self._stop.wait(self._pace):
                job(client)
        except BaseException as problem:  # noqa: BLE001 - raised where the load ends
            self.problems.append(problem)
        finally:
            client.close()

    def _documents(self, client: Client) -> None:
        title = f"关于连续办理的通知（第{_RUN}-{next(_numbers)}次）"
        elements = {"genre": "通知", "title": title, "body": "请认真落实。", "addressees": list(RECEIVERS)}
        made = client.write(
            "documents", "create", DRAFTER, "/api/v1/documents/outgoing", {"elements": elements}
        )
        path = f"/api/v1/documents/outgoing/{made['document']}"
        way = {"reviewers": [self._person[REVIEWER]], "leader": self._person[LEADER]}
        client.write("documents", "submit", DRAFTER, f"{path}:submit", way)
        client.write("documents", "review", REVIEWER, f"{path}:review", {"opinion": "同意"})
        client.write("documents", "sign off", LEADER, f"{path}:signOff", {"opinion": "同意"})
        client.until(
            "the number", lambda: (client.read("documents", REGISTRAR, path) or {}).get("document_number")
        )
        client.write("documents", "dispatch", REGISTRAR, f"{path}:dispatch", {})
        began = time.monotonic()
        for unit in RECEIVERS:
            there = f"/api/v1/documents/incoming/{made['document']}%7C{unit}"
            clerk = f"{unit}.wenshu"
            client.until(
                "the delivery", lambda clerk=clerk, there=there: client.read("documents", clerk, there)
            )
            self.notes.arrived(began)
            client.write("documents", "sign for", clerk, f"{there}:signFor", {})
            client.write("documents", "register", clerk, f"{there}:register", {})

    def _tasks(self, client: Client) -> None:
        who = "qfb.xinxi"
        body = {
            "title": f"核对第{_RUN}-{next(_numbers)}项", "text": "核对", "assignees": [f"p:{self._person[who]}"], "unit": "qfb-zonghe",
        }  # fmt: skip
        made = client.write("tasks", "task", "qfb.zonghe", "/api/v1/tasks/tasks", body)
        began = time.monotonic()
        client.until("the to-do", lambda: made["task"] in self._todo(client, who))
        self.notes.arrived(began)
        path = f"/api/v1/tasks/tasks/{made['task']}:complete"
        client.write("tasks", "complete", who, path, {"result": "已核对"})
        client.until(
            "the end of the to-do", lambda: made["task"] not in self._todo(client, who, {made["task"]})
        )

    @staticmethod
    def _todo(client: Client, who: str, unknown: set[str] = frozenset()) -> set[str]:  # type: ignore[assignment]
        """The matters in somebody's list; `unknown` when it cannot be read now."""
        answer = client.read("tasks", who, "/api/v1/tasks/todo", page_size=500)
        return {one["matter"] for one in answer["obligations"]} if answer else unknown

    def _meetings(self, client: Client) -> None:
        room, start = next(self._slots)
        body = {
            "title": f"协调会{start:%m%d%H%M}", "room": room, "participants": ["u:fgw"],
            "starts_at": f"{start:%Y-%m-%dT%H:%M:%SZ}", "ends_at": f"{start + timedelta(minutes=30):%Y-%m-%dT%H:%M:%SZ}",
        }  # fmt: skip
        client.write(
            "meetings", "meeting", "qfb.zonghe", "/api/v1/meetings/meetings", body, may_be="ROOM_TAKEN"
        )
        client.read("meetings", "qfb.zonghe", "/api/v1/meetings/rooms")

    def _searches(self, client: Client) -> None:
        client.read("knowledge", "fgw.wenshu", "/api/v1/knowledge/items", words="通知")
        client.read("documents", REGISTRAR, "/api/v1/documents/outgoing", words="连续办理")

    def _read_pages(self, _client: Client) -> None:
        for function, path in PAGES.items():
            self._look(self._pages, function, path, "<main")
            if self._stop.wait(self._pace / 2):
                return

    def _others(self, _client: Client) -> None:
        self._look(self._listener, "login page", "/id/realms/tongban/.well-known/openid-configuration", "issuer")
        # Who listens has a page open.
        self._look(self._listener, "home page", "/", "<main")
        began = time.monotonic()
        try:
            with self._listener.http.stream("GET", self._stack.url + "/stream/", timeout=10) as answer:
                trouble = (
                    "" if answer.status_code == 200 and next(answer.iter_bytes()) else str(answer.status_code)
                )
        except httpx.HTTPError as problem:
            trouble = type(problem).__name__
        self.notes.attempt("stream", began, trouble)

    def _look(self, browser: Any, function: str, path: str, wanted: str) -> None:
        began = time.monotonic()
        try:
            # As browsers ask for a page.
            answer = browser.http.get(
                self._stack.url + path,
                timeout=12,
                follow_redirects=True,
                headers={"Sec-Fetch-Mode": "navigate"},
            )
            good = answer.status_code == 200 and wanted in answer.text
            trouble = "" if good else f"{answer.status_code} {path}"
        except httpx.HTTPError as problem:
            trouble = f"{type(problem).__name__} {path}"
        self.notes.attempt(function, began, trouble)
