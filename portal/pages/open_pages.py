"""Pages without a login: after signing out, without a network, and the service worker."""

from __future__ import annotations

from pathlib import Path

from flask import Blueprint, Response, render_template, request, send_file
from tongban.portal.v1 import administration_pb2 as pb

import chassis.web
from chassis.errors import NotFound
from portal.pages import calls
from portal.pages.apps import RECEIPT

views = Blueprint("open_pages", __name__)
_PATIENCE = 8  # how often the page asks for receipts, once a second


@views.get("/signed-out")
def signed_out() -> str:
    return render_template("signed_out.html", waits=bool(request.cookies.get(RECEIPT)))


@views.get("/signed-out/receipts")
def receipts() -> str:
    """The receipts of the login that this browser has just ended, once they are there."""
    tries = request.args.get("tries", "0")
    tried = int(tries) if tries.isdecimal() and len(tries) < 3 else _PATIENCE
    found = None
    key = request.cookies.get(RECEIPT, "")
    if key:
        try:
            found = calls.receipts().ListReceipts(pb.ListReceiptsRequest(receipt=key[:64])).receipts
        except NotFound:
            found = None
    return render_template(
        "receipts.html", receipts=found, tried=tried + 1, again=found is None and tried < _PATIENCE
    )


@views.get("/offline")
def offline() -> str:
    return render_template("offline.html")


@views.get("/sw.js")
def service_worker() -> Response:
    """At the root, because a service worker rules only what lies below its own path."""
    return send_file(
        Path(chassis.web.__file__).parent / "static" / "sw.js", mimetype="text/javascript", max_age=0
    )
