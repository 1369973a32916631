"""What units do with documents they received; one function each."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime
from functools import partial
from typing import Any

from chassis import clock
from chassis.aggregate import Request
from chassis.errors import forbidden
from chassis.identity_types import Principal
from services.documents.access import access_delivery, access_issued, access_received, holder_in
from services.documents.attaching import attached
from services.documents.model.incoming import Delivery
from services.documents.model.numbering import incoming_number, series_id
from services.documents.numbering import give
from services.documents.paper import local
from services.documents.repository import Desk


def open_delivery(desk: Desk, principal: Principal, key: str) -> Delivery:
    """Read it; that somebody of the unit has opened it is noted once."""
    delivery = access_delivery(desk, principal, key)
    if any(reading.person == principal.person for reading in delivery.readings):
        return delivery
    note = Request(f"read:{principal.person}")
    return _changed(desk, principal, note, key, lambda fresh: fresh.opened_by(principal, clock.now()))


def sign_for(desk: Desk, principal: Principal, request: Request, key: str) -> Delivery:
    """签收."""
    return _step(desk, principal, request, key, lambda delivery: delivery.sign_for(principal, clock.now()))


def register(desk: Desk, principal: Principal, request: Request, key: str) -> Delivery:
    """登记 under the unit's next number."""
    now = clock.now()
    year = local(now).year

    def take() -> str:
        unit = key.rpartition("|")[2]
        return incoming_number(year, give(desk, series_id(f"incoming:{unit}", year), key))

    return _step(desk, principal, request, key, lambda delivery: delivery.register(principal, take, now))


def return_to_sender(desk: Desk, principal: Principal, request: Request, key: str, reason: str) -> Delivery:
    """退回来文单位."""
    return _step(
        desk,
        principal,
        request,
        key,
        lambda delivery: delivery.return_to_sender(principal, reason, clock.now()),
    )


def pass_on(
    desk: Desk, principal: Principal, request: Request, key: str,
    handlers: list[str], readers: list[str], proposal: str, due_at: datetime | None,
) -> Delivery:  # fmt: skip
    """拟办分送; handlers and readers are ids of divisions and people of the unit."""

    def step(delivery: Delivery) -> None:
        tokens = [holder_in(desk, delivery.unit, given, "handlers") for given in handlers]
        people = [holder_in(desk, delivery.unit, given, "readers") for given in readers]
        delivery.pass_on(principal, tokens, people, proposal, due_at, clock.now())

    return _step(desk, principal, request, key, step)


def handle(desk: Desk, principal: Principal, request: Request, key: str, item: str, opinion: str) -> Delivery:
    """办理完毕."""
    return _step(
        desk, principal, request, key, lambda delivery: delivery.handle(principal, opinion, item, clock.now())
    )


def forward(
    desk: Desk, principal: Principal, request: Request, key: str, item: str, to: str, opinion: str
) -> Delivery:
    """转办."""

    def step(delivery: Delivery) -> None:
        holder = holder_in(desk, delivery.unit, to, "to")
        delivery.forward(principal, holder, opinion, item, clock.now())

    return _step(desk, principal, request, key, step)


def send_back(
    desk: Desk, principal: Principal, request: Request, key: str, item: str, reason: str
) -> Delivery:
    """退回文书."""
    return _step(
        desk,
        principal,
        request,
        key,
        lambda delivery: delivery.send_back(principal, reason, item, clock.now()),
    )


def mark_read(desk: Desk, principal: Principal, request: Request, key: str, opinion: str) -> Delivery:
    """阅知."""
    return _step(
        desk, principal, request, key, lambda delivery: delivery.mark_read(principal, opinion, clock.now())
    )


def answer(desk: Desk, principal: Principal, request: Request, key: str, text: str) -> Delivery:
    """答复."""
    return _step(desk, principal, request, key, lambda delivery: delivery.reply(principal, text, clock.now()))


def attach_to_answer(
    desk: Desk,
    principal: Principal,
    request: Request,
    key: str,
    name: str,
    media_type: str,
    parts: Iterable[bytes],
) -> Delivery:
    """Add a file to the answer that is being prepared. Rights are checked before a byte is kept."""
    delivery = access_delivery(desk, principal, key)
    file = attached(desk, principal, delivery, name, media_type, parts)
    return _step(desk, principal, request, key, lambda fresh: fresh.attach(principal, file))


def conclude_delivery(desk: Desk, principal: Principal, request: Request, key: str, opinion: str) -> Delivery:
    """办结."""
    return _step(
        desk, principal, request, key, lambda delivery: delivery.conclude(principal, opinion, clock.now())
    )


def urge_delivery(desk: Desk, principal: Principal, request: Request, key: str, message: str) -> Delivery:
    """催办 by the issuing office."""
    return _issuer_step(
        desk,
        principal,
        request,
        key,
        lambda delivery: delivery.urge(principal, message, request.key, clock.now()),
    )


def resend(desk: Desk, principal: Principal, request: Request, key: str, message: str) -> Delivery:
    """重新发送 after a return."""
    return _issuer_step(
        desk, principal, request, key, lambda delivery: delivery.resend(principal, message, clock.now())
    )


def accept_return(desk: Desk, principal: Principal, request: Request, key: str, message: str) -> Delivery:
    """同意退文."""
    return _issuer_step(
        desk,
        principal,
        request,
        key,
        lambda delivery: delivery.accept_return(principal, message, clock.now()),
    )


def _step(
    desk: Desk, principal: Principal, request: Request, key: str, step: Callable[[Delivery], Any]
) -> Delivery:
    delivery = _changed(desk, principal, request, key, step)
    desk.registry.saw(delivery)
    return delivery


def _changed(
    desk: Desk, principal: Principal, request: Request, key: str, step: Callable[[Delivery], Any]
) -> Delivery:
    return desk.deliveries.change(key, request, step, partial(access_received, principal=principal))


def _issuer_step(
    desk: Desk, principal: Principal, request: Request, key: str, step: Callable[[Delivery], Any]
) -> Delivery:
    if not principal.callers & {"registrar"}:
        raise forbidden()
    return desk.deliveries.change(key, request, step, partial(access_issued, principal=principal))
