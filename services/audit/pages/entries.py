"""The list of what is on record, one entry of it, and the list as a file."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlencode

from flask import Blueprint, render_template, request
from flask.typing import ResponseReturnValue
from tongban.audit.v1 import audit_pb2 as pb

from chassis.errors import invalid
from chassis.times import SHANGHAI
from chassis.web import paged
from chassis.web.files import send
from services.audit.pages import common

views = Blueprint("entries", __name__)
views.before_request(common.only_auditors)
views.app_context_processor(common.words)
views.app_template_filter("exact")(common.exact)
_TEXTS = ("person", "unit", "service", "action", "result", "object")


@views.get("/")
def index() -> ResponseReturnValue:
    """Newest first."""
    given, cursor = _filter(), request.args.get("cursor", "")
    found = common.audit.SearchEntries(pb.SearchEntriesRequest(filter=given, page_size=50, page_token=cursor))
    narrowed = {name: value for name in _TEXTS if (value := getattr(given, name))}
    kept = {name: value for name, value in request.args.items() if name != "cursor" and value}
    return render_template(
        "entries.html", found=found, page=paged(found.next_page_token, found.total), narrowed=narrowed,
        csv="/audit/entries.csv" + (f"?{urlencode(kept)}" if kept else ""), wide=True,
    )  # fmt: skip


@views.get("/entries/<entry>")
def show(entry: str) -> ResponseReturnValue:
    """Everything about one entry."""
    return render_template("entry.html", one=common.audit.GetEntry(pb.GetEntryRequest(entry=entry)))


@views.get("/entries.csv")
def csv() -> ResponseReturnValue:
    """The entries of the list, ten thousand at most."""
    bodies = common.audit.ReadEntries(pb.ReadEntriesRequest(filter=_filter()), 60)
    name = f"审计记录{datetime.now(SHANGHAI):%Y%m%d-%H%M}.csv"
    return send(bodies, name=name, kind="text/csv; charset=utf-8")


def _filter() -> pb.Filter:
    texts: dict[str, Any] = {name: request.args.get(name, "") for name in _TEXTS}
    given = pb.Filter(words=request.args.get("q", ""), **texts)
    for name, field, days in (("from", given.since, 0), ("to", given.until, 1)):
        text = request.args.get(name, "")
        if text:
            field.FromDatetime(_day(name, text) + timedelta(days=days))
    return given


def _day(name: str, text: str) -> datetime:
    """The beginning of a day in China."""
    try:
        return datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=SHANGHAI).astimezone(UTC)
    except ValueError as problem:
        raise invalid(**{name: "日期不正确。"}) from problem
