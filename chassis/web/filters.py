"""Filters for times, sizes and marks, in the words of the office and in Asia/Shanghai."""

from __future__ import annotations

from datetime import UTC, date, datetime
from urllib.parse import urlsplit

from flask import Flask
from google.protobuf.timestamp_pb2 import Timestamp
from markupsafe import Markup

from chassis import clock
from chassis.times import SHANGHAI
from chassis.web import language
from chassis.words import LEVELS

Moment = datetime | date | Timestamp | str | None


def local(value: Moment) -> datetime | None:
    """`value` in Asia/Shanghai; None for nothing.

    A naive datetime is UTC, as in the database; text without a zone is what somebody typed here, so Shanghai.
    """
    if value is None or value == "":
        return None
    if isinstance(value, Timestamp):
        if not value.seconds and not value.nanos:
            return None  # an unset field of a message
        value = value.ToDatetime(tzinfo=UTC)
    if isinstance(value, str):
        typed = datetime.fromisoformat(value)
        return typed.astimezone(SHANGHAI) if typed.tzinfo else typed.replace(tzinfo=SHANGHAI)
    if not isinstance(value, datetime):
        return datetime(value.year, value.month, value.day, tzinfo=SHANGHAI)
    return (value if value.tzinfo else value.replace(tzinfo=UTC)).astimezone(SHANGHAI)


def when(value: Moment) -> str:
    """今天 09:12, 昨天 16:40, 明天 09:00, 11月20日, 2025年11月20日."""
    moment, today = local(value), _today()
    if moment is None:
        return ""
    days = (moment.date() - today).days
    english = language.english()
    near = {0: ("今天", "Today"), -1: ("昨天", "Yesterday"), 1: ("明天", "Tomorrow")}
    if days in near:
        return f"{near[days][english]} {moment:%H:%M}"
    if english:
        return f"{moment.day} {moment:%b}" if moment.year == today.year else f"{moment.day} {moment:%b %Y}"
    day = f"{moment.month}月{moment.day}日"
    return day if moment.year == today.year else f"{moment.year}年{day}"


def date_cn(value: Moment) -> str:
    """2026年11月22日, as an official document writes it: no leading zeros."""
    moment = local(value)
    if moment is None:
        return ""
    if language.english():
        return f"{moment.day} {moment:%B %Y}"
    return f"{moment.year}年{moment.month}月{moment.day}日"


def datetime_cn(value: Moment) -> str:
    """2026年11月22日 09:12."""
    moment = local(value)
    return f"{date_cn(value)} {moment:%H:%M}" if moment else ""


def time_tag(value: Moment) -> Markup:
    """`when` in a time element, with the full time as its tooltip."""
    moment = local(value)
    if moment is None:
        return Markup()
    tag = Markup('<time datetime="{}" title="{}">{}</time>')
    return tag.format(moment.isoformat(timespec="minutes"), datetime_cn(value), when(value))


def due(value: Moment) -> str:
    """How long there is: 今天到期, 明天到期, 还有3天, 12月20日前; 已超期, 已超期2天."""
    moment = local(value)
    if moment is None:
        return ""
    days, english = (moment.date() - _today()).days, language.english()
    if days < 0:
        return f"{-days} d overdue" if english else f"已超期{-days}天"
    if moment < clock.now():
        return "Overdue" if english else "已超期"
    if days <= 1:
        return ("Due today", "Due tomorrow")[days] if english else ("今天到期", "明天到期")[days]
    if days <= 14:
        return f"{days} days left" if english else f"还有{days}天"
    return f"by {when(value)}" if english else f"{when(value)}前"


def due_tone(value: Moment) -> str:
    """The tone that goes with `due`: bad when overdue, warn up to tomorrow, else neutral."""
    moment = local(value)
    if moment is None:
        return "neutral"
    if moment < clock.now():
        return "bad"
    return "warn" if (moment.date() - _today()).days <= 1 else "neutral"


def size(count: int | None) -> str:
    """912 B, 35 KB, 1.2 MB."""
    if count is None:
        return ""
    number = float(count)
    for unit in ("B", "KB", "MB"):
        if number < 1024:
            return f"{number:.0f} {unit}" if unit != "MB" or number >= 10 else f"{number:.1f} {unit}"
        number /= 1024
    return f"{number:.1f} GB"


def level(number: int | None) -> str:
    """The mark of a classification, 0 to 3; '' for what is not classified: that is never marked."""
    return LEVELS[number] if number and 0 < number < len(LEVELS) else ""


def urgency(text: str | None) -> str:
    """The mark of an urgency; '' for 平件."""
    return "" if text in (None, "", "无", "平件", "平急", "normal") else str(text)


def iso_date(value: Moment) -> str:
    """For <input type=date>."""
    moment = _readable(value)
    return f"{moment:%Y-%m-%d}" if moment else ""


def iso_minute(value: Moment) -> str:
    """For <input type=datetime-local>, in Asia/Shanghai."""
    moment = _readable(value)
    return f"{moment:%Y-%m-%dT%H:%M}" if moment else ""


def _readable(value: Moment) -> datetime | None:
    # A refused form may come back with a text that is no date; such a field shows empty beside its message.
    try:
        return local(value)
    except ValueError:
        return None


def href(value: str | None) -> str:
    """`value` if it is a path or a web address; '#' for javascript: and the like."""
    text = str(value or "").strip()
    if text.startswith(("/", "#", "?")) and not text.startswith("//"):
        return text
    scheme = urlsplit(text).scheme.lower()
    return text if scheme in {"http", "https", "mailto", "tel"} else "#"


def hue(text: str | None) -> int:
    """0 to 5: the colour of a person's letter; the same name always has the same."""
    return sum(map(ord, text or "")) % 6


def _today() -> date:
    return clock.now().astimezone(SHANGHAI).date()


def install(app: Flask) -> None:
    """Make the filters known to templates."""
    every = (
        when,
        date_cn,
        datetime_cn,
        time_tag,
        due,
        due_tone,
        size,
        level,
        urgency,
        iso_date,
        iso_minute,
        href,
        hue,
    )
    app.jinja_env.filters.update({one.__name__: one for one in every})
