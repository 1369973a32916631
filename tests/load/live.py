"""The platform as people use it: how soon what one person does stands on another's page, at rest and under the load of a district.

5,000 users make about 110 requests a second at their busiest: each looks at something every 45 seconds.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import random
import time
import uuid
from dataclasses import dataclass, field
from urllib.parse import quote

import nats

from chassis.streams import STREAM
from tests.checks.platform import subject
from tests.load.link import Link, Target
from tests.load.measuring import Figure, alone, percentile
from tests.load.site import COOKIE, Site

PER_SECOND = 110
SESSIONS = 30
PATIENCE = 20  # seconds
LINKS = 48  # connections of the load
WRITES = 2  # of a hundred requests
# What people look at, and how often of a hundred times.
LOOKS = [
    ("/", 12), ("/tasks/", 14), ("/documents/incoming", 8), ("/documents/outgoing", 8), ("/meetings/", 6), ("/knowledge/", 6),
    ("/api/v1/tasks/todo?page_size=20", 12), ("/api/v1/tasks/todo:count", 12), ("/api/v1/tasks/done?page_size=20", 4),
    ("/api/v1/documents/incoming?page_size=20", 6), (f"/api/v1/documents/outgoing?words={quote('通知')}", 5),
    (f"/knowledge/?q={quote('值班')}", 5),
]  # fmt: skip


@dataclass
class Person:
    """Somebody who is signed in."""

    id: str
    cookie: str
    csrf: str
    waiting: dict[str, tuple[float, asyncio.Future[float]]] = field(default_factory=dict)

    @property
    def headers(self) -> dict[str, str]:
        return {"Cookie": f"{COOKIE}={self.cookie}", "Accept": "text/html,application/json"}


def run(site: Site, *, seconds: float = 60.0, at_rest: int = 60) -> list[Figure]:
    """`at_rest`: events told one after the other, without any load."""
    people = [_person(site, name) for name in site.names[:SESSIONS]]
    host, _, port = site.stack.url.removeprefix("https://").partition(":")
    return asyncio.run(Scene(site, people, Target(host, int(port), site.trust())).run(seconds, at_rest))


def _person(site: Site, name: str) -> Person:
    browser = site.signed_in(name)
    person = Person(subject(site.people.token(name)), browser.cookie(COOKIE), browser.csrf)
    browser.close()
    return person


class Scene:
    """Everybody's streams are open all the time; some write to others; under load all look around."""

    def __init__(self, site: Site, people: list[Person], target: Target) -> None:
        self._site = site
        self._people = people
        self._target = target
        self._random = random.Random(7)
        self._answers: list[tuple[str, int, float]] = []
        self._written: list[float] = []

    async def run(self, seconds: float, at_rest: int) -> list[Figure]:
        await self._quiet()
        listening = [asyncio.create_task(self._listen(person)) for person in self._people]
        await asyncio.sleep(1.0)
        link = Link(self._target)
        for _ in range(5):
            await self._tell(link)  # what is done for the first time only is not what is measured
        rest = [await self._tell(link) for _ in range(at_rest)]
        figures = [
            alone("to-do at rest, p50", "from the sender's request to the event on the other person's page", [percentile(rest, 0.5)], "ms"),
            alone("to-do at rest, p99", f"the same, {len(rest)} events", [percentile(rest, 0.99)], "ms", 200.0),
        ]  # fmt: skip
        figures += await self._under_load(seconds)
        for one in listening:
            one.cancel()
        await asyncio.gather(*listening, return_exceptions=True)
        return figures

    async def _quiet(self) -> None:
        """Until what was done before is taken in everywhere."""
        broker = await nats.connect(self._site.stack.env["TONGBAN_NATS_URL"])
        js = broker.jetstream()
        while any(  # noqa: ASYNC110 - the broker tells this to nobody who does not ask
            one.num_pending or one.num_ack_pending for one in await js.consumers_info(STREAM)
        ):
            await asyncio.sleep(0.5)
        await broker.close()

    async def _under_load(self, seconds: float) -> list[Figure]:
        links: asyncio.Queue[Link] = asyncio.Queue()
        for _ in range(LINKS):
            links.put_nowait(Link(self._target))
        await self._load(links, 3.0)
        self._answers.clear()
        self._written.clear()
        servers = self._site.servers()
        used, own, began = servers.cpu(), sum(os.times()[:2]), time.monotonic()
        await self._load(links, seconds)
        passed = time.monotonic() - began
        cores = (os.cpu_count() or 1) * passed
        shared, ours = (servers.cpu() - used) / cores, (sum(os.times()[:2]) - own) / cores
        times = [took for _, _, took in self._answers]
        wrong = sorted(
            {f"{status} {path.partition('?')[0]}" for path, status, _ in self._answers if status >= 300}
        )
        bad = sum(status >= 300 for _, status, _ in self._answers)
        slowest = max(
            LOOKS,
            key=lambda look: percentile([t for path, _, t in self._answers if path == look[0]] or [0], 0.99),
        )
        return [
            alone("requests under load", f"answered per second, {len(self._people)} people's sessions, asked {PER_SECOND}", [len(times) / passed], "/s"),
            alone("requests under load, p50", "through the edge, pages, lists, searches and writes together", [percentile(times, 0.5)], "ms"),
            alone("requests under load, p99", f"the slowest look is {slowest[0].partition('?')[0]}", [percentile(times, 0.99)], "ms", 200.0),
            alone("requests that failed under load", f"refused or failed: {', '.join(wrong[:3]) or 'none'}", [bad], "", 0.0),
            alone("to-do under load, p50", "from the sender's request to the event on the other person's page", [percentile(self._written, 0.5)], "ms"),
            alone("to-do under load, p99", f"the same, {len(self._written)} events", [percentile(self._written, 0.99)], "ms", 200.0),
            alone("processor under load", "all of the platform's processes, part of the machine", [100 * shared], "%", 60.0),
            alone("processor of the load itself", "the bench's own process, part of the machine", [100 * ours], "%"),
            alone("memory under load", "all of the platform's processes, shared pages once", [servers.memory()], "MB"),
            *(
                alone(f"memory of {name}", "resident, shared pages in part", [self._site.servers(name).memory()], "MB")
                for name in self._site.stack.names if not name.endswith("-setup")
            ),
        ]  # fmt: skip

    async def _load(self, links: asyncio.Queue[Link], seconds: float) -> None:
        """Requests at their times, whether the earlier ones are answered or not."""
        under_way: set[asyncio.Task[None]] = set()
        began = time.monotonic()
        for number in range(int(seconds * PER_SECOND)):
            due = began + number / PER_SECOND
            await asyncio.sleep(max(0.0, due - time.monotonic()))
            task = asyncio.create_task(self._once(links, due))
            under_way.add(task)
            task.add_done_callback(under_way.discard)
        await asyncio.gather(*under_way)

    async def _once(self, links: asyncio.Queue[Link], due: float) -> None:
        link = await links.get()
        try:
            if self._random.randrange(100) < WRITES:
                self._written.append(await self._tell(link))
                return
            path = self._random.choices([path for path, _ in LOOKS], [often for _, often in LOOKS])[0]
            status, _ = await link.ask("GET", path, self._random.choice(self._people).headers)
            self._answers.append((path, status, 1000 * (time.monotonic() - due)))
        finally:
            links.put_nowait(link)

    async def _tell(self, link: Link) -> float:
        """One person gives another a task; the milliseconds until that one's page is told."""
        giver, taker = self._random.sample(self._people, 2)
        title = f"汛期值班 {uuid.uuid4().hex[:12]}"
        heard: asyncio.Future[float] = asyncio.get_running_loop().create_future()
        taker.waiting[title] = time.monotonic(), heard
        body = json.dumps({"title": title, "text": "请落实。", "assignees": [f"p:{taker.id}"]}).encode()
        headers = {
            **giver.headers, "Content-Type": "application/json", "X-CSRF-Token": giver.csrf,
            "Origin": self._site.stack.url, "Idempotency-Key": uuid.uuid4().hex,
        }  # fmt: skip
        began = time.monotonic()
        status, _ = await link.ask("POST", "/api/v1/tasks/tasks", headers, body)
        self._answers.append(("POST", status, 1000 * (time.monotonic() - began)))
        with contextlib.suppress(TimeoutError):
            return await asyncio.wait_for(heard, PATIENCE if status == 200 else 0)
        # Never told: as bad a figure as the longest that is waited for.
        return 1000 * PATIENCE

    async def _listen(self, person: Person) -> None:
        async for line in Link(self._target).events("/stream/", person.headers):
            if not line.startswith(b"data: "):
                continue
            title = json.loads(line[6:]).get("title", "")
            began, heard = person.waiting.pop(title, (0.0, None))
            if heard is not None and not heard.done():
                heard.set_result(1000 * (time.monotonic() - began))
