"""The gateway's process for server-sent events: /stream/.

    uvicorn --factory gateway.stream:app

Services push to core NATS (chassis.streams.push_subject); what is missed while nobody listens is no loss, because
every page reads its state from the services. A push is a JSON object; its "event" names the event ("notice"
when absent), the rest is the data. To each "todo" this process adds the reader's own count.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
import time
from collections.abc import AsyncIterator, Coroutine
from pathlib import Path
from typing import Any

from nats.aio.msg import Msg
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

from chassis import log, loops, metrics, telemetry
from chassis.bus import Bus
from chassis.errors import Unavailable
from chassis.identity_types import Principal
from chassis.parts import SESSION_ENDED
from chassis.settings import Settings, number, settings, text
from gateway import cookies, edge_refusals
from gateway.holders import SESSION_ENDED as OVER
from gateway.holders import Event, Holders, Listener
from gateway.parts import GatewayParts
from gateway.sessions import Session
from gateway.sweeping import sweep_for_ever
from gateway.todo import count

HEARTBEAT = 15.0  # seconds
COUNT = 30.0  # seconds between two counts of the sessions
RECHECK = 60.0  # seconds after which the session behind an open stream is looked up again
PER_PERSON = 20  # streams: a browser opens one for all of its tabs
_EVENT = re.compile(r"[a-z][a-z0-9-]{0,30}")
_log = log.get(__name__)


def app(given: Settings | None = None) -> Starlette:
    """The ASGI application; uvicorn calls this."""
    given = given or settings()
    log.configure("gateway", given.process)
    telemetry.start("gateway", given.process)
    stream = Stream(GatewayParts(given))
    stream.measure()
    metrics.serve()
    routes = [Route("/stream/", stream.open), Route("/healthz", stream.healthz)]
    return Starlette(routes=routes, lifespan=stream.lifespan)


class Stream:
    """Everything behind the routes of this process."""

    def __init__(self, parts: GatewayParts) -> None:
        self._parts = parts
        self._holders = Holders()
        self._bus = Bus(parts.settings)
        self._subscribed = asyncio.Event()
        self._most = int(number("STREAMS", 20_000))
        self._sessions: float | None = None

    def measure(self) -> None:
        """Report how many streams and sessions there are."""
        metrics.ready(self._ready)
        metrics.watch("tongban_streams_open", "Open streams of events", lambda: len(self._holders))
        metrics.watch("tongban_sessions", "Browser sessions, also idle ones", lambda: self._sessions)

    def _ready(self) -> bool:
        return self._subscribed.is_set() and self._bus.nc.is_connected

    @contextlib.asynccontextmanager
    async def lifespan(self, _app: Starlette) -> AsyncIterator[None]:
        """Listen to the broker and sweep the store as long as the process runs."""
        counting = loops.for_ever(self._count_sessions, COUNT, COUNT, trouble="sessions not counted")
        work = (self._listen(), sweep_for_ever(self._parts), counting, *self._edge())
        jobs = [asyncio.create_task(job) for job in work]
        yield
        for job in jobs:
            job.cancel()
        await asyncio.gather(*jobs, return_exceptions=True)
        await self._bus.close()
        self._parts.store.close()

    def _edge(self) -> list[Coroutine[Any, Any, None]]:
        """The edge's own refusals, where it is known where they are written; this process is the gateway's only one of its kind."""
        if not (written := text("EDGE_REFUSALS")):
            return []
        reader = edge_refusals.Reader(self._parts.audit, Path(written), self._parts.settings.own_var)
        trouble = "refusals of the edge wait"
        return [loops.for_ever(lambda: asyncio.to_thread(reader.read), edge_refusals.EVERY, trouble=trouble)]

    async def healthz(self, _request: Request) -> Response:
        """Ready when pushes can arrive."""
        good = self._ready()
        return PlainTextResponse("ok\n" if good else "not ready\n", 200 if good else 503)

    async def open(self, request: Request) -> Response:
        """One stream for the holder of the session cookie."""
        cookie = request.cookies.get(cookies.SESSION, "")
        try:
            found = await asyncio.to_thread(self._session, cookie)
        except Unavailable:
            return PlainTextResponse("", 503, {"Retry-After": "5"})
        if found is None:
            return PlainTextResponse("", 401, {"Cache-Control": "no-store"})
        session, principal = found
        if len(self._holders) >= self._most or self._holders.of_person(principal.person) >= PER_PERSON:
            return PlainTextResponse("", 429, {"Retry-After": "30"})
        headers = {
            "Cache-Control": "no-store",
            "X-Accel-Buffering": "no",
            "X-Content-Type-Options": "nosniff",
        }
        content = self._events(cookie, session, principal)
        return StreamingResponse(content, headers=headers, media_type="text/event-stream")

    def _session(self, cookie: str) -> tuple[Session, Principal] | None:
        # An open stream is no sign of a person at the desk, so it does not count against idling.
        return self._parts.alive(self._parts.sessions.find(cookie, touch=False))

    async def _events(self, cookie: str, session: Session, principal: Principal) -> AsyncIterator[str]:
        listener = self._holders.enter(principal.person, session.login, principal.tokens)
        try:
            # Browsers wait this long before they connect again.
            yield "retry: 5000\n\n"
            # Who holds no post has no list; asking would be one refusal on record for every page that such a person opens.
            if principal.posts and (number_of := await asyncio.to_thread(count, session.access)) is not None:
                yield written(("todo", {"count": number_of}))
            async for piece in self._queued(cookie, listener):
                yield piece
        finally:
            self._holders.leave(listener)

    async def _queued(self, cookie: str, listener: Listener) -> AsyncIterator[str]:
        checked = time.monotonic()
        while True:
            try:
                event = await asyncio.wait_for(listener.queue.get(), HEARTBEAT)
            except TimeoutError:
                yield ": \n\n"
            else:
                yield written(await self._counted(event, cookie, listener))
            if listener.lost and listener.queue.empty():
                return
            if time.monotonic() - checked > RECHECK:
                checked = time.monotonic()
                if not await self._still(cookie):
                    yield written(OVER)
                    return

    async def _counted(self, event: Event, cookie: str, listener: Listener) -> Event:
        """A change of the to-do list with the reader's count; of several, the last one asks for it."""
        name, data = event
        if name != "todo" or not listener.queue.empty():
            return event

        def ask() -> int | None:
            found = self._session(cookie)
            return count(found[0].access) if found else None

        try:
            number_of = await asyncio.to_thread(ask)
        except Unavailable:
            return event
        return event if number_of is None else (name, {**data, "count": number_of})

    async def _still(self, cookie: str) -> bool:
        try:
            return await asyncio.to_thread(self._session, cookie) is not None
        except Unavailable:
            # The store is away: who listens goes on listening.
            return True

    async def _listen(self) -> None:
        await self._bus.connect()
        await self._bus.nc.subscribe("tongban.push.>", cb=self._pushed)
        await self._bus.nc.subscribe(SESSION_ENDED, cb=self._session_ended)
        await self._bus.nc.flush()
        self._subscribed.set()
        _log.info("stream ready")

    async def _count_sessions(self) -> None:
        records = self._parts.store.collection("sessions")
        try:
            self._sessions = await asyncio.to_thread(records.count)
        except Exception:
            self._sessions = None  # a figure of earlier days would be none
            raise

    async def _pushed(self, message: Msg) -> None:
        event = as_event(message.data)
        if event is None:
            _log.warning("push refused", subject=message.subject)
            return
        self._holders.push(message.subject, event)

    async def _session_ended(self, message: Msg) -> None:
        self._holders.end(message.data.decode("utf-8", "replace"))


def as_event(data: bytes) -> Event | None:
    """A push as an event; None when it is not JSON of ours."""
    try:
        push: Any = json.loads(data)
    except (ValueError, RecursionError):
        return None
    if not isinstance(push, dict):
        return None
    name = push.pop("event", "notice")
    if not isinstance(name, str) or not _EVENT.fullmatch(name):
        return None
    return name, push


def written(event: Event) -> str:
    """An event in the form of the stream.

    JSON stands on one line, so that no line break in the data can begin another field.
    """
    name, data = event
    return f"event: {name}\ndata: {json.dumps(data, ensure_ascii=False)}\n\n"
