"""What the pages of this service share: the stub, the words, dates and times of the forms."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from typing import Any

from flask import g, request
from google.protobuf.timestamp_pb2 import Timestamp
from tongban.meetings.v1 import meetings_pb2_grpc

from chassis import clock
from chassis.client import Client
from chassis.errors import InvalidInput, TongbanError
from chassis.times import SHANGHAI, stamp
from chassis.web.filters import local

meetings = Client("meetings", meetings_pb2_grpc.MeetingServiceStub)

STATES = {"called": ("info", "已通知"), "cancelled": ("neutral", "已取消"), "over": ("neutral", "已结束")}
RECEIPTS = {
    "open": ("warn", "未回执"),
    "attending": ("good", "参会"),
    "declined": ("bad", "不参会"),
    "withdrawn": ("neutral", "不再邀请"),
}
OPENS, CLOSES, QUARTERS = 7, 22, 4  # hours between which meetings are held; quarters of an hour
TIMES = [
    f"{quarter // 4:02}:{quarter % 4 * 15:02}" for quarter in range(OPENS * QUARTERS, CLOSES * QUARTERS + 1)
]


def today() -> date:
    """Today in Asia/Shanghai."""
    return clock.now().astimezone(SHANGHAI).date()


def day(text: str) -> date:
    """The day that a link or a form names; today when it names none."""
    try:
        return date.fromisoformat(text) if text else today()
    except ValueError as problem:
        sentence = "请填写正确的日期。"
        raise InvalidInput("INVALID_INPUT", sentence, "Not a date.", {"date": sentence}) from problem


def moment(on: date, at: str) -> datetime:
    """A day and a time of day as a moment.

    Raises InvalidInput.
    """
    try:
        return datetime.combine(on, time.fromisoformat(at), SHANGHAI)
    except ValueError as problem:
        sentence = "请选择会议的开始和结束时间。"
        raise InvalidInput("INVALID_INPUT", sentence, "Not a time.", {"starts_at": sentence}) from problem


def asked_times(values: Any) -> dict[str, Timestamp | None]:
    """starts_at and ends_at from the fields `date`, `start` and `end`."""
    on = day(values.get("date", ""))
    return {
        name: stamp(moment(on, values.get(field, "")))
        for name, field in (("starts_at", "start"), ("ends_at", "end"))
    }


def as_fields(error: TongbanError) -> TongbanError:
    """The same error, told at the fields of our forms: starts_at and ends_at are the selects `start` and `end`."""
    renamed = {"starts_at": "start", "ends_at": "end", "participants": "units"}
    error.fields = {renamed.get(name, name): sentence for name, sentence in error.fields.items()}
    return error


def participants() -> list[str]:
    """Whom the form invites."""
    units, people = request.form.getlist("units"), request.form.getlist("people")
    return [f"u:{unit}" for unit in units if unit] + [f"p:{person}" for person in people if person]


def hm(value: Any) -> str:
    """09:30 of a moment, in Asia/Shanghai."""
    at = local(value)
    return f"{at:%H:%M}" if at else ""


def registrar_units() -> list[str]:
    """The units whose rooms the reader manages."""
    posts = [post.partition(":") for post in g.principal.posts]
    return list(dict.fromkeys(unit for unit, _, role in posts if role == "registrar"))


def weekday(on: date) -> str:
    """周一 … 周日."""
    return "周" + "一二三四五六日"[on.weekday()]


def next_hour() -> datetime:
    """The next whole hour at which a meeting may begin: what a new form starts with."""
    at = clock.now().astimezone(SHANGHAI).replace(minute=0, second=0, microsecond=0) + timedelta(hours=1)
    return at if 8 <= at.hour <= 18 else (at + timedelta(days=at.hour > 18)).replace(hour=9)
