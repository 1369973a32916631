"""Records are reached through these functions only. Who may not see a thing learns not even that it exists."""

from __future__ import annotations

from chassis import audit
from chassis.errors import invalid, not_found
from chassis.identity_types import Principal
from services.documents.model.elements import FileRef
from services.documents.model.incoming import Delivery
from services.documents.model.outgoing import Document
from services.documents.repository import Desk


def access_document(desk: Desk, principal: Principal, key: str) -> Document:
    """An outgoing document that the caller may read on the issuing side.

    Raises NotFound.
    """
    return access_read(desk.documents.get(key), principal)


def access_read(document: Document, principal: Principal) -> Document:
    """The document, if the caller may read it on the issuing side.

    Raises NotFound.
    """
    audit.mark(level=document.elements.level)
    if not may_read(document, principal):
        raise not_found("公文")
    return document


def may_read(document: Document, principal: Principal) -> bool:
    """Whether the caller may read it on the issuing side."""
    return bool(principal.tokens & document.readers()) and document.elements.level <= principal.clearance


def access_delivery(desk: Desk, principal: Principal, key: str) -> Delivery:
    """A delivery that the caller may read in the receiving unit.

    Raises NotFound.
    """
    return access_received(desk.deliveries.get(key), principal)


def access_received(delivery: Delivery, principal: Principal) -> Delivery:
    """The delivery, if the caller may read it in the receiving unit.

    Raises NotFound.
    """
    audit.mark(level=delivery.level)
    if not principal.tokens & delivery.readers() or delivery.level > principal.clearance:
        raise not_found("收文")
    return delivery


def access_issued(delivery: Delivery, principal: Principal) -> Delivery:
    """The delivery, if it is of the caller's own office's document: its progress, not what the unit says internally.

    Raises NotFound.
    """
    audit.mark(level=delivery.level)
    if not principal.has_post(delivery.issuing_unit, "registrar") or delivery.level > principal.clearance:
        raise not_found("收文")
    return delivery


def oversees(document: Document, principal: Principal) -> bool:
    """Whether the caller sees how far every receiving unit is: the office, its leaders, the drafter."""
    posts = any(principal.has_post(document.issuing_unit, role) for role in ("registrar", "leader"))
    return posts or principal.person in (document.drafter, document.leader)


def access_file(desk: Desk, principal: Principal, key: str, digest: str) -> FileRef:
    """A file of a document or delivery that the caller may read.

    Raises NotFound.
    """
    trusted = principal.service == "knowledge"
    if "|" not in key:
        files = _files(desk.documents.find(key) if trusted else access_document(desk, principal, key))
    else:
        delivery = desk.deliveries.find(key)
        if delivery is not None:
            audit.mark(level=delivery.level)
        if delivery is None or (not trusted and delivery.level > principal.clearance):
            raise not_found("文件")
        files = list(delivery.answer_files)
        if trusted or not principal.has_post(delivery.issuing_unit, "registrar"):
            if not trusted:
                access_delivery(desk, principal, key)
            files += _files(desk.documents.find(delivery.document))
    for file in files:
        if file.digest == digest:
            return file
    raise not_found("文件")


def _files(document: Document | None) -> list[FileRef]:
    if document is None:
        raise not_found("公文")
    return [*document.files, *([document.printed] if document.printed else [])]


def known_units(desk: Desk, units: list[str], field: str) -> None:
    """Raise InvalidInput unless all of these are organisations."""
    for unit in units:
        found = desk.directory.unit(unit)
        if found is None or found.kind != "organisation":
            raise invalid(**{field: "所选单位不存在或不能收发公文。"})


def known_people(desk: Desk, people: list[str], field: str) -> None:
    """Raise InvalidInput unless all of these are people in service."""
    for person in people:
        found = desk.directory.person(person)
        if found is None or found.disabled:
            raise invalid(**{field: "所选人员不存在或已停用。"})


def may_sign(desk: Desk, document: Document, leader: str) -> None:
    """Raise InvalidInput unless this person leads the issuing organisation or one above it."""
    known_people(desk, [leader], "leader")
    person = desk.directory.person(leader)
    posts = {f"{unit.unit}:leader" for unit in desk.directory.upward(document.issuing_unit)}
    if person is None or not posts & set(person.posts):
        raise invalid(leader="签发人须为发文单位或其上级单位的领导。")


def holder_in(desk: Desk, unit: str, given: str, field: str) -> str:
    """The audience token for a person or division of one organisation.

    given: a person's or unit's id. Raises InvalidInput when it does not belong there.
    """
    person = desk.directory.person(given)
    if person is not None and not person.disabled:
        if any(desk.directory.organisation(post.partition(":")[0]) == unit for post in person.posts):
            return f"p:{given}"
    elif desk.directory.unit(given) is not None and desk.directory.organisation(given) == unit:
        return f"u:{given}:member"
    raise invalid(**{field: "只能选择本单位的部门或人员。"})
