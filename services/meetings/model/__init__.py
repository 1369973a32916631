"""The rules of this service: plain data, no I/O.

room: rooms; day: what is booked in one room on one day; notice: what is announced and answered; meeting: a meeting, its invitations.
"""

from services.meetings.model.day import SLOT, Booking, RoomDay, RoomTaken, Span, day_key, span
from services.meetings.model.meeting import Change, Invitation, Meeting
from services.meetings.model.notice import Answer, Closed, Notice, Opened, Scheduled, Urged
from services.meetings.model.room import Room

__all__ = [
    "SLOT",
    "Answer",
    "Booking",
    "Change",
    "Closed",
    "Invitation",
    "Meeting",
    "Notice",
    "Opened",
    "Room",
    "RoomDay",
    "RoomTaken",
    "Scheduled",
    "Span",
    "Urged",
    "day_key",
    "span",
]
