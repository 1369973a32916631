"""What this service publishes, and what it takes in: obligations of every service, its own included."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from google.protobuf.message import Message
from tongban.events.v1 import obligation_pb2 as pb

from chassis.consumer import Consumer, Event
from chassis.times import moment, stamp
from services.tasks.ledger import Ledger
from services.tasks.model import Closed, Closing, Facts, Holding, Obligation, Opened, Task, Urged, Urging


def obligation_event(obligation: Obligation, event: Urged) -> Message:
    """An urging that arose here, as the other services hear of it."""
    urging = event.urging
    return pb.ObligationUrged(
        obligation=obligation.id, urging=urging.id, by=urging.by, message=urging.message, at=stamp(urging.at)
    )


def task_event(task: Task, event: Opened | Closed) -> Message:
    """A task's news: its parts are obligations like those of any other service."""
    if isinstance(event, Closed):
        return pb.ObligationClosed(
            obligation=event.obligation, sequence=2, outcome=event.outcome, by=event.by, at=stamp(event.at)
        )
    return pb.ObligationOpened(
        obligation=event.obligation, sequence=1, holder=event.holder, kind=event.kind, action=event.action,
        title=task.title, link=f"/tasks/task/{task.id}", sender=event.sender, sender_unit=event.sender_unit,
        urgency=task.urgency, opened_at=stamp(event.at), due_at=stamp(event.due_at), matter=task.id,
    )  # fmt: skip


def consumers(ledger: Ledger) -> list[Consumer]:
    """What `work` listens to."""
    to = Handlers(ledger)
    return [
        Consumer(
            "obligations",
            {
                "tongban.*.v1.obligation.opened": (pb.ObligationOpened, to.opened),
                "tongban.*.v1.obligation.reassigned": (pb.ObligationReassigned, to.reassigned),
                "tongban.*.v1.obligation.closed": (pb.ObligationClosed, to.closed),
                "tongban.*.v1.obligation.urged": (pb.ObligationUrged, to.urged),
            },
            "收取待办事项",
            at_once=8,
        )
    ]


def mend(ledger: Ledger) -> Callable[[Any], None]:
    """Lists follow an obligation of those for whom a backup is put back."""

    def follow(one: Any) -> None:
        if isinstance(one, Obligation):
            ledger.follow(one)

    return follow


class Handlers:
    """One method per event type; each merges, so repetition and order do not matter."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    def opened(self, event: Event) -> None:
        """tongban.*.v1.obligation.opened"""
        told: pb.ObligationOpened = event.message
        facts = Facts(
            sequence=told.sequence, kind=told.kind, action=told.action, title=told.title, link=told.link,
            sender=told.sender, sender_unit=told.sender_unit, urgency=told.urgency, level=told.level,
            opened_at=moment(told.opened_at) or event.time, due_at=moment(told.due_at), matter=told.matter,
            on_behalf_of=told.on_behalf_of,
        )  # fmt: skip
        holding = Holding(told.sequence, told.holder, told.sender, facts.opened_at)
        self._take_in(told, event, lambda obligation: obligation.open(facts, holding))

    def reassigned(self, event: Event) -> None:
        """tongban.*.v1.obligation.reassigned"""
        told: pb.ObligationReassigned = event.message
        holding = Holding(told.sequence, told.holder, told.by, moment(told.at) or event.time)
        self._take_in(told, event, lambda obligation: obligation.reassign(holding))

    def closed(self, event: Event) -> None:
        """tongban.*.v1.obligation.closed"""
        told: pb.ObligationClosed = event.message
        closing = Closing(told.sequence, told.outcome, told.by, moment(told.at) or event.time)
        self._take_in(told, event, lambda obligation: obligation.close(closing))

    def urged(self, event: Event) -> None:
        """tongban.*.v1.obligation.urged"""
        told: pb.ObligationUrged = event.message
        urging = Urging(told.urging, told.by, told.message, moment(told.at) or event.time)
        self._take_in(told, event, lambda obligation: obligation.urge(urging))

    def _take_in(self, told: Any, event: Event, merge: Any) -> None:
        if not told.obligation or ("holder" in told.DESCRIPTOR.fields_by_name and not told.holder):
            raise ValueError(f"{told.DESCRIPTOR.name} without obligation or holder")
        self._ledger.take_in(told.obligation, event.request(), merge)
