"""How figures grow with the records: the documents service with 4,000, 40,000 and 400,000 received documents in its store."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import timedelta
from itertools import islice
from pathlib import Path
from typing import Any

from tongban.documents.v1 import documents_pb2 as pb
from tongban.documents.v1 import documents_pb2_grpc as stubs

from chassis.search.bench import WORDS, entries
from deploy.local.stack import Stack
from services.documents.__main__ import SERVICE
from services.documents.registry import registry
from tests.inprocess import InProcess, eventually, token
from tests.load import scenes
from tests.load.measuring import Figure, Line, Servers, alone, percentile
from tests.load.rates import dispatch, sign
from tests.load.scenes import UNITS, Scene, rid

BATCH = 2_000
TIMES = 60  # repetitions of each question
Lines = dict[tuple[str, str, str], list[float]]


def run(var: Path, *, sizes: tuple[int, ...]) -> list[Figure | Line]:
    """Lines over the sizes, and the largest size's figures."""
    lines: Lines = {}
    with Stack(var / "growing", engines=("mongo", "nats"), applications=False) as stack:
        with scenes.documents(stack, var / "template") as scene:
            document, delivery = _templates(scene)
        for size in sizes:
            _at(stack, var / f"growth-{size}", size, document, delivery, lines)
        memory = Servers(stack.pid("mongo")).memory()
    drawn = [Line(plot, name, unit, list(sizes), values) for (plot, name, unit), values in lines.items()]
    note = f"with {sizes[-1]:,} received documents"
    figures = [alone(line.name, note, [line.values[-1]], line.unit) for line in drawn]
    return [*figures, alone("memory of the database", note, [memory], "MB"), *drawn]


def _templates(scene: Scene) -> tuple[dict[str, Any], dict[str, Any]]:
    """A document and one of its deliveries, as the service itself has saved them."""
    key = scenes.reviewed(scene)
    sign(scene, key)
    dispatch(scene, key)
    eventually(lambda: scene.records("deliveries").count() == len(UNITS), 60)
    eventually(lambda: not scene.records("pending").count(), 60)
    document, delivery = (
        scene.records("documents").get(key),
        scene.records("deliveries").get(f"{key}|{UNITS[0]}"),
    )
    assert document
    assert delivery
    return document, delivery


def _copies(template: dict[str, Any], count: int) -> Iterator[dict[str, Any]]:
    """So many deliveries with titles out of the regulations' sentences, the same at every run but for their ids."""
    chance = random.Random(3)
    titles = [str(entry.values["title"]) for entry in islice(entries(4_000), 5_000)]
    for number in range(count):
        unit = chance.choice(UNITS)
        made = {
            **template,
            "_id": f"{number:032x}|{unit}",
            "unit": unit,
            "outbox": [],
            "title": chance.choice(titles),
        }
        made["items"] = [{**item, "holder": f"u:{unit}:registrar"} for item in template["items"]]
        made["sent_at"] = template["sent_at"] - timedelta(minutes=number)
        made["document_number"] = f"云政办发〔{2000 + number % 27}〕{number % 999}号"
        yield made


def _at(
    stack: Stack, var: Path, size: int, document: dict[str, Any], delivery: dict[str, Any], lines: Lines
) -> None:
    directory = scenes.district()
    service = InProcess(
        SERVICE,
        stack.env["TONGBAN_MONGO_URI"],
        stack.env["TONGBAN_NATS_URL"],
        var,
        directory,
        stack.env["TONGBAN_SECRETS"],
    )
    var.mkdir(parents=True, exist_ok=True)

    def note(plot: str, name: str, unit: str, value: float) -> None:
        lines.setdefault((plot, name, unit), []).append(value)

    parts = service.parts
    deliveries = parts.store.collection("deliveries")
    deliveries._ensure_index("revision")
    parts.store.collection("documents").put(document)
    copies, began = _copies(delivery, size), time.perf_counter()
    while batch := list(islice(copies, BATCH)):
        deliveries._c.insert_many(batch)
    note("import", "bulk import into the store", "records per second", size / (time.perf_counter() - began))
    own, began = registry(parts), time.perf_counter()
    assert own.rebuild(SERVICE.repositories(parts), lambda _done: None) >= size
    note("import", "index rebuilt from the store", "records per second", size / (time.perf_counter() - began))
    with ExitStack() as cleanup:
        cleanup.enter_context(service.running(stubs.DocumentServiceStub, stubs.DeliveryServiceStub))
        for name, values in _questions(service, delivery, size).items():
            note("median", f"{name}, p50", "ms", percentile(values, 0.5))
            note("latency", f"{name}, p95", "ms", percentile(values, 0.95))


def _questions(service: InProcess, template: dict[str, Any], size: int) -> dict[str, list[float]]:
    """Milliseconds of each kind of call, through the service's own door."""
    chance = random.Random(size)
    unit = UNITS[7]
    clerk = token(f"{unit}-clerk", f"{unit}:registrar")
    own = [record["_id"] for record in islice(_copies(template, size), size) if record["unit"] == unit]

    def listing(words: str = "") -> Callable[[], object]:
        return lambda: service.call("ListDeliveries", pb.ListRequest(words=words, page_size=50), clerk)

    def sign_for(key: str) -> Callable[[], object]:
        return lambda: service.call("SignFor", pb.DeliveryStepRequest(delivery=key, request_id=rid()), clerk)

    def read(key: str) -> Callable[[], object]:
        return lambda: service.call("GetDelivery", pb.GetDeliveryRequest(delivery=key), clerk)

    # Who opens a delivery first is noted, so the first look is a step as well; the second only reads.
    chosen = chance.sample(own, min(TIMES, len(own)))
    calls = {
        "register page": [listing()] * TIMES,
        "search": [listing(word) for word in WORDS] * (TIMES // len(WORDS)),
        "opened for the first time (noted)": [read(key) for key in chosen],
        "read again by its id": [read(key) for key in chosen],
        "a step (sign for)": [sign_for(key) for key in chosen],
    }
    for kind in calls.values():
        kind[0]()
    return {name: [_took(call) for call in kind[1:]] for name, kind in calls.items()}


def _took(call: Callable[[], object]) -> float:
    began = time.perf_counter()
    call()
    return 1000 * (time.perf_counter() - began)
