"""The end of a login: its sessions at legacy systems end too, and a receipt per system says so. # check 8"""

from __future__ import annotations

import asyncio
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial

from chassis import log, loops
from chassis.bus import Bus
from chassis.ended import login_of
from chassis.streams import ENDED
from chassis.sweeping import sweep
from portal import answers
from portal.connectors.jar import Jar
from portal.connectors.signing_in import sign_out
from portal.model import App
from portal.parts import PortalParts

KEPT = 600.0  # seconds for which receipts can be looked at
SWEEP = 3600.0
_log = log.get(__name__)


@dataclass(frozen=True)
class Receipt:
    """What became of one legacy session."""

    name: str
    sentence: str
    good: bool


def end_session(parts: PortalParts, session: str) -> list[Receipt]:
    """Ends everything of one login and keeps the receipts.

    Repeating is harmless: what has ended is not ended again.
    """
    apps = {app.id: app for app in parts.apps.scan()}
    jars = parts.jars.load_all(session, apps)
    # The jars go first: whatever the systems answer, from now on nobody gets in by this login.
    for app in apps:
        parts.jars.drop(session, app)
    with ThreadPoolExecutor(8) as threads:
        receipts = list(threads.map(lambda pair: _end(parts, apps[pair[0]], pair[1]), jars.items()))
    key, records = parts.receipt_id(session), parts.chassis.store.collection("receipts")
    if receipts or records.get(key) is None:
        kept = [{"name": one.name, "sentence": one.sentence, "good": one.good} for one in receipts]
        records.put({"_id": key, "revision": 1, "receipts": kept, "until": time.time() + KEPT})
    return receipts


def _end(parts: PortalParts, app: App, jar: Jar) -> Receipt:
    if app.connector.form.logout_path:
        if sign_out(parts.client, app, jar):
            return Receipt(app.name, "已在该系统退出", good=True)
        return Receipt(app.name, "已断开连接；该系统没有确认退出，其会话将自行过期", good=False)
    return Receipt(app.name, "已断开连接", good=True)


def receipts_of(parts: PortalParts, key: str) -> list[Receipt] | None:
    """The receipts kept under this number; None while there are none, or not any more."""
    record = parts.chassis.store.collection("receipts").get(key)
    if record is None or record["until"] < time.time():
        return None
    return [Receipt(**one) for one in record["receipts"]]


async def listen(parts: PortalParts) -> None:
    """Hears of ended logins, for ever; at a start also of those of the last hour, which does no harm."""
    bus = Bus(parts.chassis.settings)
    await bus.connect()
    ended: asyncio.Queue[str] = asyncio.Queue()

    def on_entry(key: str, value: bytes | None) -> None:
        if login := login_of(key, value):
            ended.put_nowait(login)

    async def answer() -> None:
        receipts = await asyncio.to_thread(end_session, parts, await ended.get())
        _log.info("legacy sessions ended", systems=len(receipts))

    # What fails is not repeated: the verifier refuses the login's token already, and the sweep takes the jars away later.
    # One slow legacy system must not hold the others' logouts back.
    answering = (loops.for_ever(answer, 0, 0, trouble="legacy sessions not ended") for _ in range(4))
    sweeping = loops.for_ever(partial(asyncio.to_thread, _sweep, parts), SWEEP, trouble="sweep put off")
    await asyncio.gather(bus.watch(ENDED, on_entry, lambda: None), sweeping, *answering)


def _sweep(parts: PortalParts) -> None:
    """What a missed message, the end of a receipt's time, or an old answer leaves behind. # check 90"""
    gone, now = parts.jars.sweep(), time.time()
    sweep(parts.chassis.store.collection("receipts"), lambda record: record["until"] < now)
    answers.forget_old(parts.chassis.store)
    if gone:
        _log.info("jars swept", count=gone)
