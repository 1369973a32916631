"""The service in this process, on the engines of the fixture `engines`."""

from __future__ import annotations

import uuid
from datetime import datetime, timedelta

import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from tongban.meetings.v1 import meetings_pb2 as pb
from tongban.meetings.v1 import meetings_pb2_grpc

from chassis.times import SHANGHAI
from services.meetings.__main__ import SERVICE
from tests.inprocess import InProcess, directory_of, token

UNITS = [
    ("qzf", "云溪区人民政府", "", "organisation"),
    ("zfb", "云溪区人民政府办公室", "qzf", "organisation"),
    ("fgw", "云溪区发展和改革局", "qzf", "organisation"),
    ("czj", "云溪区财政局", "qzf", "organisation"),
]
PEOPLE = {
    "quzhang": ["qzf:leader"],
    "wenshu": ["zfb:registrar"],
    "mishu": ["zfb:member"],
    "fg-wenshu": ["fgw:registrar"],
    "fg-juzhang": ["fgw:leader"],
    "keyuan": ["fgw:member"],
    "cz-wenshu": ["czj:registrar"],
}
AS = {person: token(person, *posts) for person, posts in PEOPLE.items()}
# Far enough ahead to be in the future of any run, near enough to be booked.
DAY = (datetime.now(SHANGHAI) + timedelta(days=40)).replace(hour=0, minute=0, second=0, microsecond=0)


def rid():
    return uuid.uuid4().hex


def stamp(hour, day=0):
    made = Timestamp()
    made.FromDatetime(DAY + timedelta(days=day, hours=hour))
    return made


def asked(kind, room="", *, start=9, end=10, day=0, **how):
    given = {
        "title": "经济运行分析会",
        "participants": ["u:fgw", "u:czj", "p:quzhang"],
        "request_id": rid(),
        **how,
    }
    return kind(room=room, starts_at=stamp(start, day), ends_at=stamp(end, day), **given)


def call(meetings, room="", by="mishu", **how):
    return meetings.call("CallMeeting", asked(pb.CallMeetingRequest, room, **how), AS[by])


def new_room(meetings, **how):
    given = {
        "room": f"r-{uuid.uuid4().hex[:8]}",
        "name": "第一会议室",
        "location": "三楼",
        "capacity": 30,
        "shared": True,
        **how,
    }
    return meetings.call(
        "SaveRoom", pb.SaveRoomRequest(room=pb.Room(**given), request_id=rid()), AS["wenshu"]
    ).room


@pytest.fixture(scope="module")
def meetings(tmp_path_factory, engines):
    mongo, nats = engines["mongo"], engines["nats"]
    service = InProcess(
        SERVICE, mongo, nats, tmp_path_factory.mktemp("meetings"), directory_of(UNITS, PEOPLE)
    )
    with service.running(meetings_pb2_grpc.MeetingServiceStub) as running:
        yield running


@pytest.fixture
def room(meetings):
    return new_room(meetings)
