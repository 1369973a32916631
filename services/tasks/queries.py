"""What a user can see of obligations, and urging.

To-do lists are read by key; every list that grows is a question to the registry, with the caller's rights inside it.
"""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass, replace
from datetime import datetime

from chassis import audit, clock
from chassis.aggregate import Request
from chassis.directory import Directory
from chassis.errors import forbidden, invalid, not_found
from chassis.identity_types import Principal
from chassis.registry import Registry, micros
from chassis.repository import Repository
from chassis.search import Page, Query
from services.tasks.model import Count, Item, Obligation, Summary, count, in_order, pressing
from services.tasks.registry import SENDING, WATCHING, from_row, upward
from services.tasks.repository import TodoLists
from services.tasks.statistics import access_unit

Obligations = Repository[Obligation]
STATES = ("open", "closed", "all")


@dataclass(frozen=True)
class Listing:
    """One page of a list that grows."""

    rows: list[Summary]
    total: int
    next: str
    kinds: dict[str, int]


@dataclass(frozen=True)
class Wanted:
    """What a list is narrowed down to."""

    words: str = ""
    kind: str = ""
    state: str = "open"
    overdue: bool = False
    size: int = 20
    after: str = ""


def own_items(lists: TodoLists, principal: Principal) -> list[Item]:
    """Everything that the caller owes, in person or by a post, up to the caller's clearance; pressing ones first."""
    items = [
        item
        for one in lists.get_many(principal.tokens)
        for item in one.items
        if item.level <= principal.clearance
    ]
    return in_order(items, clock.now())


def list_todo(
    lists: TodoLists, principal: Principal, kind: str, size: int, after: str
) -> tuple[list[Item], str, Count]:
    """One page of the caller's list, the next page's token ('' at the end), and the figures of the whole list."""
    now = clock.now()
    every = own_items(lists, principal)
    shown = [item for item in every if not kind or item.kind == kind or item.kind.startswith(f"{kind}.")]
    if after:
        place = _read_place(after)
        shown = [item for item in shown if _place(item, now) > place]
    page = shown[:size]
    following = _write_place(_place(page[-1], now)) if len(shown) > size else ""
    return page, following, count(every, now)


def list_done(
    registry: Registry, principal: Principal, wanted: Wanted, since: datetime | None, until: datetime | None
) -> Listing:
    """What has left the caller's list, newest first."""
    query = _query(replace(wanted, state="closed"), {"done_for": [f"p:{principal.person}"]}, by="closed_at")
    return _listing(registry.search(replace(query, since=micros(since), until=micros(until)), principal))


def list_sent(registry: Registry, principal: Principal, wanted: Wanted, unit: str) -> Listing:
    """What the caller waits for, or a unit that the caller answers for."""
    if unit and not any(principal.has_post(unit, role) for role in SENDING):
        raise forbidden("您不是该单位的文书或负责人，不能查看其发出的事项。")
    must = {"sender_unit": [unit]} if unit else {"sender": [principal.person]}
    return _listing(registry.search(_query(wanted, must), principal))


def list_unit(
    registry: Registry, directory: Directory, principal: Principal, wanted: Wanted, unit: str
) -> Listing:
    """What a unit and everything below it owes."""
    access_unit(directory, principal, unit)
    return _listing(registry.search(_query(wanted, {"units": [unit]}), principal))


def read_obligation(
    obligations: Obligations, directory: Directory, principal: Principal, key: str
) -> Obligation:
    """One obligation, if the caller may see it.

    Raises NotFound.
    """
    return access_obligation(obligations.get(key), directory, principal)


def urge(
    obligations: Obligations,
    directory: Directory,
    principal: Principal,
    request: Request,
    *,
    key: str,
    message: str,
) -> Obligation:
    """Ask its holder to hurry.

    Raises NotFound, Forbidden, WrongState.
    """

    def access(obligation: Obligation) -> None:
        access_obligation(obligation, directory, principal)
        if not may_urge(obligation, principal):
            raise forbidden("只有发出人及其单位的文书、负责人可以催办。")

    def step(obligation: Obligation) -> None:
        obligation.ask(request, principal.person, message, clock.now())

    return obligations.change(key, request, step, access)


def access_obligation(obligation: Obligation, directory: Directory, principal: Principal) -> Obligation:
    """The obligation, if the caller is cleared for it and holds or held it, waits for it, or leads a holder's unit.

    Raises NotFound.
    """
    if obligation.facts is not None:
        audit.mark(level=obligation.facts.level)
    if obligation.facts is not None and obligation.facts.level <= principal.clearance:
        own = obligation.holders & principal.tokens
        # The same units as in the index: who finds it in the unit's list can open it.
        units = upward(directory, obligation.holder)
        watches = any(principal.has_post(unit, role) for unit in units for role in WATCHING)
        if own or may_urge(obligation, principal) or watches:
            return obligation
    raise not_found("事项")


def may_urge(obligation: Obligation, principal: Principal) -> bool:
    """Whether the caller sent it, or answers for the unit that did."""
    facts = obligation.facts
    if facts is None:
        return False
    by_post = facts.sender_unit and any(principal.has_post(facts.sender_unit, role) for role in SENDING)
    return facts.sender == principal.person or bool(by_post)


def _query(wanted: Wanted, must: dict[str, list[str]], by: str = "") -> Query:
    if wanted.state not in STATES:
        raise invalid(state="状态只能是 open、closed 或 all。")
    narrowed: dict[str, list[str]] = {**must}
    if wanted.kind:
        narrowed["kind"] = [wanted.kind]
    if wanted.state != "all":
        narrowed["state"] = [wanted.state]
    ranges: dict[str, tuple[int | None, int | None]] = {}
    if wanted.overdue:
        narrowed["state"] = ["open"]
        ranges["due_at"] = (None, micros(clock.now()))
    return Query(
        wanted.words,
        must=narrowed,
        ranges=ranges,
        by=by,
        after=wanted.after,
        size=wanted.size,
        facets=("kind",),
    )


def _listing(page: Page) -> Listing:
    kinds = {name: number for name, number in page.facets["kind"] if "." in name}
    return Listing([from_row(dict(hit.stored["row"])) for hit in page.hits], page.total, page.next, kinds)


def _place(item: Item, now: datetime) -> tuple[int, int, str]:
    return -pressing(item, now), -(micros(item.opened_at) or 0), item.obligation


def _write_place(place: tuple[int, int, str]) -> str:
    return base64.urlsafe_b64encode("|".join(map(str, place)).encode()).decode()


def _read_place(token: str) -> tuple[int, int, str]:
    try:
        weight, opened_at, key = base64.urlsafe_b64decode(token.encode()).decode().split("|", 2)
        return int(weight), int(opened_at), key
    except (binascii.Error, ValueError) as problem:
        raise invalid(page_token="翻页位置已失效，请从第一页重新查看。") from problem  # noqa: S106 - a place in a list
