"""Some weeks of a district's life, lived through the real APIs: each document goes its way as far as its age allows."""

from __future__ import annotations

import random
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from tongban.documents.v1 import documents_pb2 as pb
from tongban.documents.v1 import documents_pb2_grpc as stubs

from chassis.times import SHANGHAI
from deploy.demo import texts
from deploy.demo.acting import People, stub


@dataclass
class Story:
    """The district as its documents see it."""

    people: People
    ids: dict[str, str]  # username → person
    units: list[str]  # receiving organisations
    start: datetime
    end: datetime

    def __post_init__(self) -> None:
        # Units work side by side, as they do; what each of them does follows from document and unit alone.
        self._pool = ThreadPoolExecutor(4)
        self.documents = stub("documents", stubs.DocumentServiceStub)
        self.deliveries = stub("documents", stubs.DeliveryServiceStub)

    def live(self, documents: int, progress: Callable[[int], None]) -> None:
        """Let this many documents be issued, evenly over the time."""
        span = (self.end - self.start) / documents
        for number in range(documents):
            self._document(number, self.start + span * number)
            progress(number + 1)

    def _document(self, number: int, born: datetime) -> None:
        subject, purpose = texts.SUBJECTS[number % len(texts.SUBJECTS)]
        round_ = number // len(texts.SUBJECTS)
        title = f"关于{subject}的通知" if not round_ else f"关于进一步{subject}的通知（{round_ + 1}）"
        office = number % 4 != 3
        dice = random.Random(number)  # noqa: S311 - a story, not a secret
        clock = Clock(dice, born, self.end)
        drafter, reviewer, leader = (
            ("qfb.mishu1", "qfb.mishu", self._leader(dice))
            if office
            else ("fgw.wenshu", "fgw.zonghe", "fgw.juzhang")
        )
        registrar = "qfb.wenshu" if office else "fgw.wenshu"
        units = dice.sample(
            [unit for unit in self.units if office or unit != "fgw"],
            min(len(self.units) - 1, dice.randint(3, 6)),
        )
        elements = pb.Elements(
            genre="通知", title=title, body=texts.BODY.format(subject=subject, purpose=purpose), addressees=units[:-1],
            copies=units[-1:], urgency=dice.choice(["", "", "", "加急", "特急"]), reply_required=dice.random() < 0.6,
        )  # fmt: skip
        if elements.reply_required:
            by = (
                (born + timedelta(days=dice.choice([5, 7, 10])))
                .astimezone(SHANGHAI)
                .replace(hour=18, minute=0, second=0, microsecond=0)
            )
            elements.reply_by.FromDatetime(by.astimezone(UTC).replace(tzinfo=None))
        made = self._do(
            self.documents.CreateDocument, pb.CreateDocumentRequest(elements=elements), drafter, clock.now
        )
        key = made.document
        if not clock.later(1, 5):
            return
        self._do(
            self.documents.SubmitDocument,
            pb.SubmitDocumentRequest(document=key, reviewers=[self.ids[reviewer]], leader=self.ids[leader]), drafter, clock.now,
        )  # fmt: skip
        for method, who, words in (
            (self.documents.ReviewDocument, reviewer, texts.OPINIONS),
            (self.documents.SignOffDocument, leader, texts.SIGNATURES),
        ):
            if not clock.later(1, 20):
                return
            self._do(method, pb.StepRequest(document=key, opinion=dice.choice(words)), who, clock.now)
        if not clock.later(1, 6):
            return
        self._do(
            self.documents.DispatchDocument, pb.DispatchDocumentRequest(document=key), registrar, clock.now
        )
        jobs = [
            self._pool.submit(
                self._unit, f"{key}|{unit}", unit, registrar,
                Clock(random.Random(f"{number}|{unit}"), clock.now, self.end),  # noqa: S311
                reply=elements.reply_required and unit != units[-1],
            )
            for unit in units
        ]  # fmt: skip
        for job in jobs:
            job.result()

    def _unit(self, key: str, unit: str, registrar: str, clock: Clock, *, reply: bool) -> None:
        clerk = f"{unit}.wenshu"
        self.people.until(
            10,
            lambda: self._do(
                self.deliveries.GetDelivery, pb.GetDeliveryRequest(delivery=key), clerk, clock.now
            ),
        )
        luck = clock.dice.random()
        if not clock.later(1, 30):
            if luck < 0.3:
                self._step(
                    self.deliveries.UrgeDelivery, key, registrar, clock, clock.dice.choice(texts.URGES)
                )
            return
        if luck < 0.04:
            self._step(self.deliveries.ReturnToSender, key, clerk, clock, clock.dice.choice(texts.RETURNS))
            return
        for method in (self.deliveries.SignFor, self.deliveries.Register):
            self._step(method, key, clerk, clock)
            if not clock.later(0.2, 4):
                return
        handlers = [part for part in (f"{unit}-zonghe", f"{unit}-yewu") if part.replace("-", ".") in self.ids]
        chief = next(
            name for name in (f"{unit}.juzhang", f"{unit}.fuzeren", f"{unit}.zhuren") if name in self.ids
        )
        self._do(
            self.deliveries.PassOn,
            pb.PassOnRequest(delivery=key, handlers=handlers, readers=[self.ids[chief]], proposal=clock.dice.choice(texts.PROPOSALS)),
            clerk, clock.now,
        )  # fmt: skip
        for part in handlers:
            if not clock.later(4, 40):
                return
            self._step(
                self.deliveries.Handle, key, part.replace("-", "."), clock, clock.dice.choice(texts.RESULTS)
            )
        if clock.later(0.5, 8):
            self._step(
                self.deliveries.MarkRead,
                key,
                chief,
                clock,
                clock.dice.choice(["已阅。", "已阅，请认真落实。"]),
            )
        else:
            return
        if reply and clock.later(1, 20):
            self._step(self.deliveries.Answer, key, clerk, clock, clock.dice.choice(texts.ANSWERS))

    def _leader(self, dice: random.Random) -> str:
        return dice.choice([name for name in self.ids if name.startswith("qzf.")] + ["qfb.zhuren"] * 2)

    def _step(self, method: Any, key: str, who: str, clock: Clock, opinion: str = "") -> None:
        self._do(method, pb.DeliveryStepRequest(delivery=key, opinion=opinion), who, clock.now)

    def _do(self, method: Any, request: Any, who: str, at: datetime) -> Any:
        return self.people.call(method, request, who, at)


class Clock:
    """The time of one thread of the story: moves on by hours of work, and says when the present is reached."""

    def __init__(self, dice: random.Random, now: datetime, end: datetime) -> None:
        self.dice = dice
        self._end = end
        self.now = min(working(now), end)

    def later(self, least: float, most: float) -> bool:
        """Move on by so many hours of the office's day; False when that would be in the future."""
        moved = working(self.now + timedelta(hours=self.dice.uniform(least, most)))
        if moved >= self._end:
            return False
        self.now = moved
        return True


def working(moment: datetime) -> datetime:
    """The moment, or the next morning when the office is closed (8:30 to 18:00, not at weekends)."""
    local = moment.astimezone(SHANGHAI)
    if local.hour >= 18:
        local = (local + timedelta(days=1)).replace(hour=8, minute=30 + local.minute // 3)
    elif local.hour < 8:
        local = local.replace(hour=8, minute=30 + local.minute // 3)
    while local.weekday() > 4:
        local += timedelta(days=1)
    return local.astimezone(UTC)
