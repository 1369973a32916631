"""How the chain stands: whether it grows, whether it is whole, and the button that finds out."""

from __future__ import annotations

from flask import Blueprint, render_template
from flask.typing import ResponseReturnValue
from tongban.audit.v1 import audit_pb2 as pb

from chassis.web import form_request_id, go
from services.audit.pages import common

views = Blueprint("chain", __name__)
views.before_request(common.only_auditors)


@views.get("/chain")
def show() -> ResponseReturnValue:
    """Head, checkpoints, the last verification."""
    return render_template("chain.html", chain=common.audit.GetChain(pb.GetChainRequest()))


@views.post("/chain/verify")
def verify() -> ResponseReturnValue:
    """Begin to verify."""
    common.audit.StartVerification(pb.StartVerificationRequest(request_id=form_request_id()))
    return go("/audit/chain", "已开始校验，完成后结果显示在本页。")
