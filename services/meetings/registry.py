"""The search index of this service: meetings, with who may find them."""

from __future__ import annotations

from typing import Any

from chassis.parts import Parts
from chassis.registry import Registry, micros
from chassis.search import Entry, Field, Schema
from services.meetings.model import Meeting

SCHEMA = Schema(
    (
        Field("title", "text", boost=3),
        Field("agenda", "text"),
        Field("place", "text"),
        Field("start", "date"),
        Field("end", "date"),
        Field("audience", "keyword"),  # in whose calendar it stands
        Field("organiser", "keyword"),
        Field("state", "keyword"),
        Field("row", "stored"),
    ),
    version=1,
)
MANAGING = ("registrar", "head", "leader")  # posts of the organising unit that see and manage its meetings


def registry(parts: Parts) -> Registry:
    """The index of this process."""
    return Registry(parts.settings.own_var / "index", SCHEMA, {"meetings": entry})


def entry(meeting: Meeting) -> Entry:
    """A meeting as an entry."""
    notice, open_ = meeting.notice, [one.holder for one in meeting.invitations if one.state == "open"]
    invited = [one for one in meeting.invitations if one.state != "withdrawn"]
    row: dict[str, Any] = {
        "title": notice.title, "start": micros(notice.span.start), "end": micros(notice.span.end),
        "place": notice.place, "organiser": meeting.organiser, "organiser_unit": meeting.organiser_unit,
        "state": meeting.state, "invited": len(invited), "answered": len(invited) - len(open_), "open": open_,
    }  # fmt: skip
    return Entry(
        meeting.id, meeting.revision, readers(meeting), 0,
        {
            "title": notice.title, "agenda": notice.agenda, "place": notice.place, "start": row["start"],
            "end": row["end"], "audience": meeting.audience(), "organiser": meeting.organiser, "state": meeting.state,
            "row": row,
        },
    )  # fmt: skip


def readers(meeting: Meeting) -> list[str]:
    """Audience tokens of all who may see the meeting: its people, who manages it, and who leads an invited unit."""
    tokens = {*meeting.audience(), *(f"u:{meeting.organiser_unit}:{role}" for role in MANAGING)}
    for one in meeting.invitations:
        if one.state == "withdrawn":
            continue
        tokens.add(one.holder)
        if one.holder.startswith("u:"):
            unit = one.holder.split(":")[1]
            tokens |= {f"u:{unit}:{role}" for role in MANAGING}
    return sorted(tokens)
