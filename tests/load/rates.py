"""How fast things are done: sign-offs, dispatches, bookings, to-dos and the outbox, each against what the store or broker can do bare."""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

from google.protobuf.timestamp_pb2 import Timestamp
from tongban.documents.v1 import documents_pb2 as documents_pb
from tongban.events.v1 import obligation_pb2
from tongban.meetings.v1 import meetings_pb2 as meetings_pb

from chassis import publishing
from chassis.bus import Bus
from chassis.outbox import envelope
from chassis.settings import Settings
from chassis.streams import STREAM
from chassis.times import SHANGHAI
from deploy.local.stack import Stack
from services.tasks.repository import TodoLists
from tests.inprocess import eventually
from tests.load import scenes
from tests.load.measuring import Figure, per_second, ratio
from tests.load.scenes import AS, UNITS, Scene, rid, side_by_side

DAY = (datetime.now(SHANGHAI) + timedelta(days=30)).replace(hour=8, minute=0, second=0, microsecond=0)


# Asked ten times a second only, since asking is part of what is measured.
wait = partial(eventually, seconds=120.0, pause=0.1)


def run(var: Path, *, rounds: int = 5, size: int = 16) -> list[Figure]:
    """`size`: things done in one measurement."""
    with Stack(var / "engines", engines=("mongo", "nats"), applications=False) as stack:
        return [
            *_documents(stack, var, rounds, size),
            *_meetings(stack, var, rounds, size),
            *_events(stack, var, rounds),
        ]


def _documents(stack: Stack, var: Path, rounds: int, size: int) -> Iterator[Figure]:
    with scenes.documents(stack, var / "documents") as scene:
        ready = scenes.reviewed(scene)
        record = scene.records("documents").get(ready)
        signed = ratio(
            "sign-offs", "签发 (number, printed page, events) per second / bare durable inserts of that size per second",
            _each(scene, record, size, lambda key: sign(scene, key)), _bare(scene, record, size), rounds=rounds,
        )  # fmt: skip
        yield signed
        sign(scene, ready)
        wait(lambda: not scene.records("pending").count())
        record = scene.records("documents").get(ready)
        few = max(1, size // 8)
        yield ratio(
            "dispatches", "deliveries that stand in the registers of 60 units per second / bare inserts of a delivery's size",
            lambda: _dispatched(scene, record, few), _bare_delivery(scene, record, 4 * size), rounds=rounds,
        )  # fmt: skip


def _each(scene: Scene, record: dict[str, Any], size: int, step: Callable[[str], Any]) -> Callable[[], float]:
    def measure() -> float:
        keys = scene.copies("documents", record, size)
        return per_second(lambda: side_by_side(step, keys))

    return measure


def _bare(scene: Scene, record: dict[str, Any], size: int) -> Callable[[], float]:
    insert = scene.bare(record, max(size, 64))
    return lambda: per_second(insert)


def sign(scene: Scene, key: str) -> None:
    """签发."""
    step = documents_pb.StepRequest(document=key, opinion="同意，请抓紧印发。", request_id=rid())
    assert scene.service.call("SignOffDocument", step, AS["boss"]).state == "numbered"


def dispatch(scene: Scene, key: str) -> None:
    """核发."""
    scene.service.call(
        "DispatchDocument", documents_pb.DispatchDocumentRequest(document=key, request_id=rid()), AS["clerk"]
    )


def _dispatched(scene: Scene, record: dict[str, Any], count: int) -> float:
    keys = scene.copies("documents", record, count)
    wanted = len(keys) * len(UNITS)

    before = scene.records("deliveries").count()

    def work() -> int:
        side_by_side(lambda key: dispatch(scene, key), keys)
        wait(lambda: scene.records("deliveries").count() == before + wanted)
        wait(lambda: not scene.records("pending").count())
        return wanted

    return per_second(work)


def _bare_delivery(scene: Scene, record: dict[str, Any], size: int) -> Callable[[], float]:
    _dispatched(scene, record, 1)
    some = next(scene.records("deliveries").scan())
    return _bare(scene, some, size)


def _meetings(stack: Stack, var: Path, rounds: int, size: int) -> Iterator[Figure]:
    with scenes.meetings(stack, var / "meetings") as scene:
        rooms = [f"r{number}" for number in range(scenes.AT_ONCE)]
        for room in rooms:
            made = meetings_pb.Room(room=room, name="会议室", location="三楼", capacity=30, shared=True)
            scene.service.call(
                "SaveRoom", meetings_pb.SaveRoomRequest(room=made, request_id=rid()), AS["clerk"]
            )
        slots = ((rooms[n % len(rooms)], n // len(rooms)) for n in range(10**6))
        first = _book(scene, *next(slots))
        record = scene.records("meetings").get(first)
        yield ratio(
            "bookings", "meetings called with a room per second / bare durable inserts of a meeting's size per second",
            lambda: per_second(lambda: side_by_side(lambda slot: _book(scene, *slot), [next(slots) for _ in range(4 * size)])),
            _bare(scene, record, 4 * size), rounds=rounds,
        )  # fmt: skip


def _book(scene: Scene, room: str, slot: int) -> str:
    begin = DAY + timedelta(days=slot // 20, minutes=30 * (slot % 20))
    wish = meetings_pb.CallMeetingRequest(
        room=room, starts_at=_stamp(begin), ends_at=_stamp(begin + timedelta(minutes=30)), title="经济运行分析会",
        participants=["p:boss", "p:head"], request_id=rid(),
    )  # fmt: skip
    return str(scene.service.call("CallMeeting", wish, AS["clerk"]).meeting)


def _stamp(at: datetime) -> Timestamp:
    made = Timestamp()
    made.FromDatetime(at)
    return made


def opened(number: int, holder: str) -> obligation_pb2.ObligationOpened:
    """An obligation such as a dispatch opens."""
    return obligation_pb2.ObligationOpened(
        obligation=f"bench|{uuid.uuid4().hex}", sequence=1, holder=holder, kind="document", action="sign_for",
        title=f"关于做好第{number}次汛期值班工作的通知", link="/documents/incoming/x", sender="boss", sender_unit="zfb",
    )  # fmt: skip


def _events(stack: Stack, var: Path, rounds: int) -> Iterator[Figure]:
    with scenes.tasks(stack, var / "tasks") as scene:
        yield asyncio.run(outbox(scene.service.settings, rounds))
        yield _todos(scene, rounds)


async def outbox(settings: Settings, rounds: int, count: int = 2_000) -> Figure:
    """The same outboxes, in batches and one by one; the stream is real, and syncs with every acknowledgement."""
    bus = Bus(settings)
    await bus.connect()

    def outboxes() -> dict[str, list[dict[str, Any]]]:
        # Subjects that nobody listens to, so that the broker's acknowledgements are all that is measured.
        message = opened(0, "u:u0:registrar")
        events = [
            {**envelope("bench", message), "subject": "tongban.bench.v1.nobody.listens"} for _ in range(count)
        ]
        return {str(number): [event] for number, event in enumerate(events)}

    async def batched() -> float:
        started = time.perf_counter()
        outcome = await publishing.publish(bus, outboxes())
        assert len(outcome.sent) == count
        return count / (time.perf_counter() - started)

    async def single() -> float:
        started = time.perf_counter()
        for (event,) in outboxes().values():
            await bus.publish(event["subject"], event["data"], event["headers"], event["id"])
        return count / (time.perf_counter() - started)

    here: list[float] = []
    there: list[float] = []
    for _ in range(rounds):
        here.append(await batched())
        there.append(await single())
    await bus.close()
    quotients = [a / b for a, b in zip(here, there, strict=True)]
    return Figure(
        "outbox",
        f"events per second in batches of {publishing.BATCH} / one by one",
        quotients,
        here,
        there,
        mark=4.0,
    )


def _todos(scene: Scene, rounds: int, count: int = 240) -> Figure:
    """Obligations of many holders, from the stream into the lists, against bare inserts of an obligation's size."""
    holders = [f"u:{unit}:registrar" for unit in UNITS]
    bus = scene.service.parts.bus
    durable = f"{scene.service.settings.service}-obligations"

    async def left() -> int:
        info = await bus.bus.js.consumer_info(STREAM, durable)
        return int(info.num_pending or 0) + int(info.num_ack_pending or 0)

    def taken_in() -> float:
        events = [opened(number, holders[number % len(holders)]) for number in range(count)]

        def work() -> int:
            outboxes = {str(n): [envelope("bench", event)] for n, event in enumerate(events)}
            bus.run(publishing.publish(bus.bus, outboxes), 30)
            # The broker is asked, and seldom: looking into the lists all the time would be most of the work.
            wait(lambda: not bus.run(left(), 10))
            return count

        rate = per_second(work)
        lists = TodoLists(scene.service.parts.store)
        listed = {item.obligation for one in lists.get_many(holders) for item in one.items}
        assert listed.issuperset(event.obligation for event in events)
        wait(lambda: not scene.records("pending").count())
        # A list that grew from round to round would make the later rounds slower.
        scene.records("todo").remove_many([record["_id"] for record in scene.records("todo").scan()])
        return rate

    taken_in()
    record = next(scene.records("obligations").scan())
    return ratio(
        "to-dos", "obligations of 60 holders taken into their lists per second / bare inserts of an obligation's size",
        taken_in, _bare(scene, record, 128), rounds=rounds,
    )  # fmt: skip
