"""The two registers, and finding a record by the code on its printed page."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, g, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from tongban.documents.v1 import documents_pb2 as pb

from chassis.errors import TongbanError
from chassis.web import form_errors, names, paged
from chassis.web.files import uploads
from chassis.words import GENRES
from services.documents.pages.common import (
    INCOMING_STATES,
    OUTGOING_STATES,
    TONES,
    deliveries,
    documents,
    listing,
)

views = Blueprint("overview", __name__, static_folder="static", static_url_path="/static")


@views.app_context_processor
def words() -> dict[str, Any]:
    """The words for states, known to every template."""
    return {
        "outgoing_states": OUTGOING_STATES, "incoming_states": INCOMING_STATES, "tones": TONES, "genres": list(GENRES),
        "drafting_units": lambda: [(unit, names.unit(unit)) for unit in g.principal.units],
    }  # fmt: skip


@views.get("/")
def index() -> ResponseReturnValue:
    """The register that one's post works with."""
    # The query as it is: given to url_for as arguments, names such as _external would be options of its own.
    query = request.query_string.decode("ascii", "replace")
    return redirect(url_for("overview.incoming_register") + (f"?{query}" if query else ""))


@views.get("/incoming")
def incoming_register() -> ResponseReturnValue:
    """收文登记簿."""
    found = listing(deliveries.ListDeliveries)
    return render_template(
        "register.html", found=found, page=paged(found.next_page_token, found.total), book="incoming"
    )


@views.get("/outgoing")
def outgoing_register() -> ResponseReturnValue:
    """发文登记簿."""
    found = listing(documents.ListDocuments, mine=request.args.get("mine", ""))
    return render_template(
        "register.html", found=found, page=paged(found.next_page_token, found.total), book="outgoing"
    )


@views.get("/code")
def code() -> ResponseReturnValue:
    """Where a picture of the code is uploaded."""
    return render_template("code.html")


@views.post("/code")
def find_by_code() -> ResponseReturnValue:
    """Go to the record behind the uploaded picture."""
    given = uploads("picture")
    if not given:
        form_errors({"picture": "请选择或拍摄一张图片。"})
        return render_template("code.html"), 422
    try:
        found = documents.FindByCode(pb.FindByCodeRequest(picture=given[0].stream.read()))
    except TongbanError as problem:
        if not form_errors(problem):
            form_errors({"picture": problem.zh})
        return render_template("code.html"), 422
    return redirect(found.link, 303)
