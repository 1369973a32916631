"""Bringing items in, changing them, withdrawing them; what the reader's unit keeps."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime, time
from typing import Any

from flask import Blueprint, render_template, request, url_for
from flask.typing import ResponseReturnValue
from tongban.knowledge.v1 import knowledge_pb2 as pb
from werkzeug.datastructures import FileStorage

from chassis.errors import TongbanError
from chassis.times import SHANGHAI, stamp
from chassis.web import form_date, form_errors, form_request_id, go, paged
from chassis.web.files import pieces, uploads
from chassis.words import levels
from services.knowledge.pages.common import date_of, knowledge, row

views = Blueprint("keep", __name__)


@views.get("/new")
def new() -> ResponseReturnValue:
    """The form for a new item."""
    return _form("upload.html")


@views.post("/new")
def upload() -> ResponseReturnValue:
    """Bring it in."""
    header = pb.UploadHeader(
        request_id=form_request_id(),
        title=_text("title"),
        keeper=_text("keeper"),
        text=request.form.get("text", ""),
        **_said(),
    )
    try:
        made = knowledge.UploadItem(_parts(header))
    except TongbanError as problem:
        if not form_errors(problem):
            raise
        return _form("upload.html", 422)
    return go(url_for("browse.show", item=made.item), "资料已入库")


@views.get("/items/<item>/edit")
def edit(item: str) -> ResponseReturnValue:
    """The form for what is said about an item."""
    found = knowledge.GetItem(pb.GetItemRequest(item=item))
    return _form("edit.html", item=found, date=date_of(found))


@views.post("/items/<item>/edit")
def update(item: str) -> ResponseReturnValue:
    """Change what is said about it; of a filed document only the categories."""
    found = knowledge.GetItem(pb.GetItemRequest(item=item))
    asked = pb.UpdateItemRequest(item=item, etag=_text("etag"), request_id=form_request_id())
    if found.source == "documents":
        asked.title, asked.kind, asked.level = found.title, found.kind, found.level
        asked.document_number = found.document_number
        asked.readers.extend(found.readers)
        asked.categories.extend(_categories())
        if found.HasField("date"):
            asked.date.CopyFrom(found.date)
    else:
        asked.MergeFrom(pb.UpdateItemRequest(title=_text("title"), **_said()))
    try:
        knowledge.UpdateItem(asked)
    except TongbanError as problem:
        if not form_errors(problem):
            raise
        return _form("edit.html", 422, item=found, date=date_of(found))
    return go(url_for("browse.show", item=item), "已保存")


@views.get("/items/<item>/content")
def content(item: str) -> ResponseReturnValue:
    """The form for a new version."""
    return _form("replace.html", item=knowledge.GetItem(pb.GetItemRequest(item=item)))


@views.post("/items/<item>/content")
def replace(item: str) -> ResponseReturnValue:
    """Put a new version in place of the present content."""
    header = pb.UploadHeader(
        request_id=form_request_id(),
        item=item,
        etag=_text("etag"),
        text=request.form.get("text", ""),
        note=_text("note"),
    )
    try:
        knowledge.UploadItem(_parts(header))
    except TongbanError as problem:
        if not form_errors(problem):
            raise
        return _form("replace.html", 422, item=knowledge.GetItem(pb.GetItemRequest(item=item)))
    return go(url_for("browse.show", item=item), "新版本已入库")


@views.post("/items/<item>/withdraw")
def withdraw(item: str) -> ResponseReturnValue:
    """Hide it from everybody but its keepers."""
    knowledge.WithdrawItem(
        pb.WithdrawItemRequest(item=item, etag=_text("etag"), request_id=form_request_id())
    )
    return go(url_for("browse.show", item=item), "已撤下，其他人不再看到")


@views.post("/items/<item>/restore")
def restore(item: str) -> ResponseReturnValue:
    """Show it again."""
    knowledge.RestoreItem(pb.RestoreItemRequest(item=item, etag=_text("etag"), request_id=form_request_id()))
    return go(url_for("browse.show", item=item), "已恢复")


@views.get("/mine")
def mine() -> ResponseReturnValue:
    """What the reader's unit keeps."""
    about = knowledge.ListCategories(pb.ListCategoriesRequest())
    unit = request.args.get("unit") or (about.homes[0] if about.homes else "-")
    withdrawn = request.args.get("state") == "withdrawn"
    found = knowledge.SearchItems(
        pb.SearchItemsRequest(
            words=request.args.get("q", "").strip(),
            keeper=unit,
            withdrawn=withdrawn,
            order="date",
            kind=request.args.get("kind", ""),
            page_token=request.args.get("cursor", ""),
        )
    )
    return render_template(
        "mine.html",
        rows=[row(hit) for hit in found.hits],
        page=paged(found.next_page_token, found.total),
        unit=unit,
        homes=about.homes,
        kinds=[(kind.kind, kind.label) for kind in about.kinds],
        withdrawn=withdrawn,
    )


def _form(template: str, status: int = 200, **known: Any) -> ResponseReturnValue:
    about = knowledge.ListCategories(pb.ListCategoriesRequest())
    labels = [value.label for facet in about.facets if facet.field == "category" for value in facet.values]
    page = render_template(
        template,
        kinds=[(kind.kind, kind.label) for kind in about.kinds if kind.uploadable],
        homes=about.homes,
        known_categories=labels,
        levels=levels("非涉密"),
        **known,
    )
    return page, status


def _parts(header: pb.UploadHeader) -> Iterator[pb.UploadItemRequest]:
    """The form's files as the stream that UploadItem takes."""
    # gRPC reads the stream in a thread of its own, where there is no request: the files are taken out of it
    # here.
    return _stream(header, uploads("files"))


def _stream(header: pb.UploadHeader, files: list[FileStorage]) -> Iterator[pb.UploadItemRequest]:
    yield pb.UploadItemRequest(header=header)
    for file in files:
        yield pb.UploadItemRequest(file=pb.FileStart(name=file.filename))
        for piece in pieces(file):
            yield pb.UploadItemRequest(chunk=piece)


def _said() -> dict[str, Any]:
    """What the form says about an item, as both requests take it."""
    day = form_date("date")
    readers = {"all": ["all"], "chosen": [f"u:{unit}" for unit in request.form.getlist("units")]}
    return {
        "kind": _text("kind"),
        "document_number": _text("document_number"),
        "level": request.form.get("level", 0, int),
        "readers": readers.get(_text("audience"), []),
        "categories": _categories(),
        "date": stamp(datetime.combine(day, time(), SHANGHAI)) if day else None,
    }


def _categories() -> list[str]:
    return [
        one.strip() for one in re.split(r"[,，;；、\n]", request.form.get("categories", "")) if one.strip()
    ]


def _text(name: str) -> str:
    return request.form.get(name, "").strip()
