"""The two registers as lists: a question to the search index under the caller's rights."""

from __future__ import annotations

from tongban.documents.v1 import documents_pb2 as pb

from chassis import bounds
from chassis.context import caller
from chassis.registry import from_micros, micros
from chassis.search import Query
from chassis.times import moment, stamp
from services.documents.repository import Desk


def listing(own: Desk, request: pb.ListRequest, book: str, link: str) -> pb.ListResponse:
    """A page of a register, under the caller's rights."""
    principal = caller()
    must: dict[str, list[str | int]] = {"book": [book]}
    for field in ("state", "genre", "unit"):
        if getattr(request, field):
            must[field] = [getattr(request, field)]
    if request.mine == "drafted":
        must["owner"] = [principal.person]
    page = own.registry.search(
        Query(
            words=request.words, must=must, size=bounds.page_size(request.page_size, 20, 100), after=request.page_token, facets=["state"],
            since=micros(moment(request.since)),
            until=micros(moment(request.until)),
        ),
        principal,
    )  # fmt: skip
    answer = pb.ListResponse(
        next_page_token=page.next, total=page.total, states=dict(page.facets.get("state", []))
    )
    for hit in page.hits:
        row = dict(hit.stored["row"])
        time = stamp(from_micros(row.pop("time")))
        answer.rows.add(id=hit.id, link=link + hit.id, time=time, **row)
    return answer
