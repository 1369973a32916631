"""Searching, reading, downloading."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote, urlencode

from flask import Blueprint, g, render_template, request
from flask.typing import ResponseReturnValue
from markupsafe import Markup
from tongban.knowledge.v1 import knowledge_pb2 as pb

from chassis.errors import TongbanError
from chassis.web import names, paged
from chassis.web.files import send
from services.knowledge.pages import rendering
from services.knowledge.pages.common import KIND_TONES, date_of, knowledge, row

views = Blueprint("browse", __name__, static_folder="static")
FACETS = {"kind": "类别", "issuer": "发布机关", "year": "年份", "category": "分类"}
ORDERS = {"relevance": "相关度", "date": "最新", "date_up": "最早"}
SHOWN = 14  # values of a facet


@views.get("/")
def search() -> ResponseReturnValue:
    """The search: without words, the newest."""
    words, order = request.args.get("q", "").strip(), request.args.get("order", "")
    chosen: dict[str, Any] = {name: request.args.get(name, "") for name in FACETS}
    found = knowledge.SearchItems(
        pb.SearchItemsRequest(
            words=words, order=order, page_size=20, page_token=request.args.get("cursor", ""), **chosen
        )
    )
    ranked = bool(words) and order not in ("date", "date_up")
    return render_template(
        "search.html",
        words=words,
        rows=[row(hit) for hit in found.hits],
        total=found.total,
        facets=_facets(found, chosen),
        orders=_orders("relevance" if ranked else order or "date", searching=bool(words)),
        kept={**chosen, "order": order},
        page=paged(found.next_page_token, found.total),
        narrowed=any(chosen.values()),
    )


@views.get("/suggest")
def suggest() -> ResponseReturnValue:
    """Titles for what has been typed so far, as options of a datalist."""
    prefix = request.args.get("q", "").strip()[:100]
    if not prefix:
        return ""
    try:
        titles = knowledge.Suggest(pb.SuggestRequest(prefix=prefix), seconds=2).titles
    except TongbanError:
        # A help while typing: the search itself will say what is wrong.
        return ""
    return str(Markup().join(Markup('<option value="{}"></option>').format(title) for title in titles))


@views.get("/items/<item>")
def show(item: str) -> ResponseReturnValue:
    """One item: text, files, course, facts."""
    version = request.args.get("version", 0, int)
    found = knowledge.GetItem(pb.GetItemRequest(item=item, version=version))
    try:
        near = knowledge.ListSimilarItems(pb.ListSimilarItemsRequest(item=item), seconds=3).items
    except TongbanError:
        # What is beside the point may be missing; the item itself is there.
        near = []
    return render_template(
        "item.html",
        item=found,
        date=date_of(found),
        text=rendering.render(found.text, found.format, found.title),
        files=_files(found),
        near=near,
        tone=KIND_TONES.get(found.kind, "neutral"),
        latest=found.versions[0].version,
        course=sorted(found.course, key=lambda entry: entry.time.ToNanoseconds()),
        asked=request.args.get("q", ""),
    )


@views.get("/items/<item>/files/<digest>/<name>")
def download(item: str, digest: str, name: str) -> ResponseReturnValue:
    """A file, to be saved; a PDF may be looked at (?view=1)."""
    bodies = knowledge.ReadItemFile(pb.ReadItemFileRequest(item=item, digest=digest))
    return send(bodies, name=name, inline=request.args.get("view") == "1")


def _files(item: pb.Item) -> list[dict[str, Any]]:
    made = []
    for file in item.files:
        address = f"/knowledge/items/{item.item}/files/{file.digest}/{quote(file.name, safe='')}"
        viewable = file.media_type == "application/pdf"
        made.append(
            {
                "name": file.name,
                "size": file.size,
                "href": address,
                "preview": f"{address}?view=1" if viewable else None,
            }
        )
    return made


def _facets(found: pb.SearchItemsResponse, chosen: dict[str, str]) -> list[dict[str, Any]]:
    """The facets as links that narrow the search, or widen it again."""
    groups = []
    for facet in found.facets:
        values = [
            {
                "label": value.label,
                "count": value.count,
                "chosen": value.value == chosen[facet.field],
                "href": _narrowed(facet.field, "" if value.value == chosen[facet.field] else value.value),
            }
            for value in facet.values[:SHOWN]
        ]
        if chosen[facet.field] and not any(value["chosen"] for value in values):
            # What is chosen has no hit, or comes later in the list: it must be possible to give it up.
            label = next(
                (one.label for one in facet.values if one.value == chosen[facet.field]),
                chosen[facet.field].lstrip("="),
            )
            values.insert(0, {"label": label, "count": 0, "chosen": True, "href": _narrowed(facet.field, "")})
        if values:
            groups.append({"label": FACETS[facet.field], "values": values})
    return groups


def _orders(active: str, *, searching: bool) -> list[dict[str, str]]:
    names = [name for name in ORDERS if searching or name != "relevance"]
    return [
        {
            "key": name,
            "label": ORDERS[name],
            "href": _narrowed("order", name),
            "active": name if name == active else "",
        }
        for name in names
    ]


def _narrowed(name: str, value: str) -> str:
    kept = {key: one for key, one in request.args.items() if key not in (name, "cursor") and one}
    query = urlencode({**kept, name: value} if value else kept)
    return f"/knowledge/?{query}" if query else "/knowledge/"


@views.app_context_processor
def words() -> dict[str, Any]:
    """Known to every template."""
    return {
        "cleared": g.principal.clearance if g.get("principal") else 0,
        "unit_options": lambda units: [(unit, names.unit(unit)) for unit in units],
    }
