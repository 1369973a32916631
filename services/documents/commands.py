"""What people do with outgoing documents; one function each. Incoming ones are in incoming.py."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from chassis import clock, log
from chassis.aggregate import Request
from chassis.errors import TongbanError, forbidden, wrong_state
from chassis.identity_types import Principal
from services.documents import numbering
from services.documents.access import access_document, access_read, known_people, known_units, may_sign
from services.documents.attaching import attached
from services.documents.delivering import units_course
from services.documents.model.course import Actor
from services.documents.model.elements import Elements
from services.documents.model.outgoing import Document
from services.documents.paper import print_document
from services.documents.repository import Desk

_log = log.get(__name__)


def create_document(
    desk: Desk, principal: Principal, request: Request, elements: Elements, unit: str
) -> Document:
    """起草: a new draft of the caller's."""
    drafting = unit or principal.unit
    if drafting not in principal.units:
        raise forbidden("您不在所选的拟稿部门任职。")
    issuing = desk.directory.organisation(drafting)
    found = desk.directory.unit(issuing)
    if found is None or not found.organ_code:
        raise wrong_state(
            "本单位尚未设置机关代字，不能发文，请联系系统管理员。",
            "UNIT_CANNOT_ISSUE",
            "The unit has no organ code.",
        )
    _check(desk, elements)
    now = clock.now()
    document = Document(
        id=request.new_id(), elements=elements, issuing_unit=issuing, drafting_unit=drafting,
        drafter=principal.person, created_at=now,
    )  # fmt: skip
    document.record(Actor.of(principal, drafting), "起草", now)
    return _saved(desk, desk.documents.add(document, request))


def update_document(
    desk: Desk, principal: Principal, request: Request, key: str, elements: Elements
) -> Document:
    """Change a draft."""

    def step(document: Document) -> None:
        _check(desk, elements)
        document.edit(principal, elements, desk.highest_level)

    return _step(desk, principal, key, request, step)


def attach_file(
    desk: Desk,
    principal: Principal,
    request: Request,
    key: str,
    name: str,
    media_type: str,
    parts: Iterable[bytes],
) -> Document:
    """Add a file to a draft. Rights are checked before a byte is kept."""
    document = access_document(desk, principal, key)
    file = attached(desk, principal, document, name, media_type, parts)
    return _step(desk, principal, key, request, lambda document: document.attach(principal, file))


def remove_file(desk: Desk, principal: Principal, request: Request, key: str, digest: str) -> Document:
    """Take a file out of a draft."""
    return _step(desk, principal, key, request, lambda document: document.detach(principal, digest))


def submit_document(
    desk: Desk,
    principal: Principal,
    request: Request,
    key: str,
    reviewers: list[str],
    leader: str,
    opinion: str,
) -> Document:
    """送审: a preview of the page is printed first, so that everybody reads what will be issued."""
    document = access_document(desk, principal, key)
    known_people(desk, reviewers, "reviewers")
    if leader:
        may_sign(desk, document, leader)
    document.elements.complete()
    preview = print_document(desk, document, "")
    now = clock.now()
    return _step(
        desk, principal, key, request,
        lambda fresh: fresh.submit(principal, reviewers, leader, preview, opinion, now),
    )  # fmt: skip


def review_document(desk: Desk, principal: Principal, request: Request, key: str, opinion: str) -> Document:
    """审核同意."""
    return _step(
        desk, principal, key, request, lambda document: document.review(principal, opinion, clock.now())
    )


def return_document(desk: Desk, principal: Principal, request: Request, key: str, reason: str) -> Document:
    """退回起草人."""
    return _step(
        desk, principal, key, request, lambda document: document.send_back(principal, reason, clock.now())
    )


def sign_off_document(desk: Desk, principal: Principal, request: Request, key: str, opinion: str) -> Document:
    """签发. The number and the page follow at once; should they fail, the event lets them be made later."""
    signed = _step(
        desk, principal, key, request, lambda document: document.sign_off(principal, opinion, clock.now())
    )
    try:
        return _saved(desk, numbering.number_document(desk, key))
    except TongbanError as problem:
        _log.warning("numbering follows later", document=key, problem=str(problem))
        return signed


def dispatch_document(
    desk: Desk, principal: Principal, request: Request, key: str, further: list[str]
) -> Document:
    """核发 to the addressees, the copies and further units."""

    def step(document: Document) -> None:
        known_units(desk, further, "units")
        document.dispatch(principal, further, clock.now())

    return _step(desk, principal, key, request, step)


def conclude_document(desk: Desk, principal: Principal, request: Request, key: str, reason: str) -> Document:
    """办结 by the office although units have not finished."""

    def access(document: Document) -> None:
        access_read(document, principal)
        if not principal.has_post(document.issuing_unit, "registrar"):
            raise forbidden("只有发文单位的文书可以办结。")

    def step(document: Document) -> None:
        actor = Actor.of(principal, document.issuing_unit)
        document.conclude(actor, units_course(desk, document), reason, clock.now())

    return _saved(desk, desk.documents.change(key, request, step, access))


def withdraw_document(desk: Desk, principal: Principal, request: Request, key: str, reason: str) -> Document:
    """撤回作废 what is not signed."""
    return _step(
        desk, principal, key, request, lambda document: document.withdraw(principal, reason, clock.now())
    )


def _check(desk: Desk, elements: Elements) -> None:
    elements.check(desk.highest_level)
    known_units(desk, elements.addressees, "elements__addressees")
    known_units(desk, elements.copies, "elements__copies")


def _step(
    desk: Desk, principal: Principal, key: str, request: Request, step: Callable[[Document], Any]
) -> Document:
    """A step of somebody who may read the document."""
    return _saved(desk, desk.documents.change(key, request, step, lambda one: access_read(one, principal)))


def _saved(desk: Desk, document: Document) -> Document:
    desk.registry.saw(document)
    return document
