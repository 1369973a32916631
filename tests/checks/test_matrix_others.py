"""Who may do what with tasks, meetings and knowledge: all methods, everybody."""

from __future__ import annotations

import uuid
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from tongban.knowledge.v1 import knowledge_pb2 as knowledge
from tongban.knowledge.v1 import knowledge_pb2_grpc
from tongban.meetings.v1 import meetings_pb2 as meetings
from tongban.meetings.v1 import meetings_pb2_grpc
from tongban.tasks.v1 import tasks_pb2 as tasks
from tongban.tasks.v1 import tasks_pb2_grpc

from services.knowledge.__main__ import SERVICE as KNOWLEDGE
from services.meetings.__main__ import SERVICE as MEETINGS
from services.tasks.__main__ import SERVICE as TASKS
from tests.checks.matrix import Matrix, cast
from tests.inprocess import InProcess, directory_of, eventually

pytestmark = [pytest.mark.integration, pytest.mark.timeout(300)]
ROLES = ("registrar", "leader", "head", "member")
UNITS = [
    ("zfb", "区政府办公室", "", "organisation"), ("zfb-mishu", "秘书科", "zfb", "division"),
    ("fgw", "发展和改革局", "", "organisation"), ("fgw-tz", "投资科", "fgw", "division"),
    ("fgw-zh", "综合科", "fgw", "division"), ("jtj", "交通运输局", "", "organisation"),
]  # fmt: skip
PEOPLE = {
    "owner": ["zfb-mishu:member"], "colleague": ["zfb-mishu:member"], "office": ["zfb:registrar"],
    "holder": ["fgw-tz:member"], "fellow": ["fgw-tz:member"], "chief": ["fgw-tz:head"], "fgw-clerk": ["fgw:registrar"],
    "neighbour": [f"fgw-zh:{role}" for role in ROLES], "stranger": [f"jtj:{role}" for role in ROLES],
}  # fmt: skip
DENIED, WRONG_STATE, BAD = "PERMISSION_DENIED", "FAILED_PRECONDITION", "INVALID_ARGUMENT"


@pytest.fixture
def run(engines, tmp_path):
    """run(service, stub) → the matrix of a service that runs for the time of this test."""
    open_ones = []

    def start(service, stub):
        running = InProcess(service, engines["mongo"], engines["nats"], tmp_path, directory_of(UNITS, PEOPLE))
        entered = running.running(stub)
        matrix = Matrix(entered.__enter__(), service.who, cast(PEOPLE), engines["mongo"])
        open_ones.append(entered)
        return matrix

    yield start
    for one in open_ones:
        one.__exit__(None, None, None)


def stamp(days=0.0, hour=9):
    at = datetime.now(UTC).replace(hour=hour - 8, minute=0, second=0, microsecond=0) + timedelta(days=days)
    made = Timestamp()
    made.FromDatetime(at)
    return made


def told(matrix):
    print(
        f"check 19: {matrix.service.service.name}: {len(matrix.covered)} methods, {matrix.cells} cells, 100 % equal; {dict(matrix.seen)}"
    )


def always(_person, _answer):
    return True


def test_tasks(run):
    """# check 19: tasks"""
    matrix = run(TASKS, tasks_pb2_grpc.TaskServiceStub)
    elsewhere = dict.fromkeys(PEOPLE, DENIED)
    give = tasks.CreateTaskRequest(
        title="报送材料", text="按附表", assignees=["p:holder", "p:owner"], unit="zfb-mishu"
    )
    task = matrix.step("CreateTask", give, "owner", also=("colleague",), known=elsewhere)
    key, obligation = {"task": task.task}, task.assignments[0].obligation
    matrix.step("GetTask", tasks.GetTaskRequest(**key), "owner", also=("holder",))
    # Who gave it sees it, and holds another part of it than the one that is asked for.
    part = {"assignment": 1}
    matrix.step(
        "ReportProgress",
        tasks.ReportProgressRequest(**key, **part, text="一半"),
        "holder",
        known={"owner": WRONG_STATE},
    )
    back = tasks.ReturnTaskRequest(**key, **part, reason="应由他人办理")
    matrix.step("ReturnTask", back, "holder", known={"owner": WRONG_STATE})
    settle = tasks.SettleReturnRequest(**key, **part, assignees=["p:holder"])
    matrix.step("SettleReturn", settle, "owner", known={"holder": DENIED})
    done = tasks.CompleteTaskRequest(**key, assignment=3, result="已办")
    matrix.step("CompleteTask", done, "holder", known={"owner": WRONG_STATE})
    get = tasks.GetObligationRequest(obligation=obligation)
    eventually(lambda: matrix._ask("GetObligation", get, "owner")[0] == "OK")
    # The unit of the one who owes: its head; the unit of the one who asks: nobody but its own registrars and heads.
    matrix.step("GetObligation", get, "owner", also=("holder", "chief"))
    again = matrix._ask("CreateTask", give, "owner")[1]
    urged = tasks.UrgeRequest(obligation=again.assignments[0].obligation, message="请抓紧")
    eventually(
        lambda: (
            matrix._ask("GetObligation", tasks.GetObligationRequest(obligation=urged.obligation), "owner")[0]
            == "OK"
        )
    )
    matrix.step("Urge", urged, "owner", known={"holder": DENIED, "chief": DENIED})
    cancel = tasks.CancelTaskRequest(**key, reason="不办了")
    matrix.step("CancelTask", cancel, "owner", known={"holder": DENIED})
    lists_of_tasks(matrix, obligation, again.task)
    matrix.settle()
    told(matrix)


def lists_of_tasks(matrix, closed, task):
    """Everybody is answered out of their own; a unit's figures only to who leads it or a unit above it."""
    first = f"tasks|{task}|1"

    def owes(person, answer):
        return (person == "holder") == any(
            one.obligation.startswith(f"tasks|{task}|1") for one in answer.obligations
        )

    def counts(person, answer):
        return person in ("holder", "owner") or answer.count.total == 0

    def finished(person, answer):
        return person == "holder" or closed not in {one.obligation for one in answer.obligations}

    def asked(person, answer):
        return (person == "owner") == (first in {one.obligation for one in answer.obligations})

    matrix.open("ListTodo", tasks.ListTodoRequest(), owes)
    matrix.open("GetTodoCount", tasks.GetTodoCountRequest(), counts)
    matrix.open("ListDone", tasks.ListDoneRequest(), finished)
    matrix.open("ListSent", tasks.ListSentRequest(), asked)
    heads = {"neighbour": DENIED, "stranger": DENIED}
    for method, kind in (
        ("ListUnitObligations", tasks.ListUnitObligationsRequest),
        ("GetStatistics", tasks.GetStatisticsRequest),
    ):
        matrix.step(method, kind(unit="fgw-tz"), "chief", known=heads)


def test_meetings(run):
    """# check 19: meetings"""
    matrix = run(MEETINGS, meetings_pb2_grpc.MeetingServiceStub)
    room = meetings.Room(
        room=f"r-{uuid.uuid4().hex[:8]}", name="第一会议室", unit="zfb", capacity=20, shared=False
    )
    # Rooms belong to a unit; everybody sees that there are rooms, its registrars look after them.
    matrix.step(
        "SaveRoom", meetings.SaveRoomRequest(room=room), "office", known=dict.fromkeys(PEOPLE, DENIED)
    )
    said = {
        "title": "不公开的题目", "agenda": "议程", "starts_at": stamp(2), "ends_at": stamp(2, 10), "room": room.room,
        "participants": ["u:fgw", "p:holder"],
    }  # fmt: skip
    call = meetings.CallMeetingRequest(**said, unit="zfb-mishu")
    elsewhere = {**dict.fromkeys(PEOPLE, DENIED), "colleague": WRONG_STATE}
    meeting = first_call(matrix, call, elsewhere)
    key = {"meeting": meeting.meeting}
    invited = ("holder", "fgw-clerk")
    matrix.step("GetMeeting", meetings.GetMeetingRequest(**key), "owner", also=invited)
    known = dict.fromkeys(invited, DENIED)
    urge = meetings.UrgeReceiptsRequest(**key, message="请回执")
    matrix.step("UrgeReceipts", urge, "owner", known=known)
    change = meetings.ChangeMeetingRequest(**key, **{**said, "agenda": "新议程"})
    matrix.step("ChangeMeeting", change, "owner", known=known)
    read = meetings.MarkReadRequest(**key)
    matrix.step("MarkRead", read, "holder", also=("fgw-clerk", "owner"))
    answer = meetings.AnswerInvitationRequest(**key, attend=True, names="一人")
    matrix.step("AnswerInvitation", answer, "holder", known={"owner": WRONG_STATE}, also=("fgw-clerk",))
    # Where a room is taken everybody may learn by whom, and only who is of the meeting what it is about.
    sees = {"owner", *invited}

    def discreet(person, given):
        shown = {one.title for one in given.bookings}
        return shown == ({"不公开的题目"} if person in sees else {""})

    calendar = meetings.GetCalendarRequest(room=room.room, days=7)
    matrix.open("GetCalendar", calendar, discreet)
    matrix.open(
        "ListRooms",
        meetings.ListRoomsRequest(),
        lambda _person, given: any(one.room == room.room for one in given.rooms),
    )
    asked = meetings.ListAvailabilityRequest(starts_at=stamp(2), ends_at=stamp(2, 10))
    own = {"owner", "colleague", "office"}
    matrix.open(
        "ListAvailability",
        asked,
        lambda person, given: (person in own) == any(one.room.room == room.room for one in given.rooms),
    )
    eventually(lambda: matrix._ask("ListMeetings", meetings.ListMeetingsRequest(), "holder")[1].total == 1)
    matrix.open(
        "ListMeetings", meetings.ListMeetingsRequest(), lambda person, given: given.total == (person in sees)
    )
    cancel = meetings.CancelMeetingRequest(**key, reason="改期")
    matrix.step("CancelMeeting", cancel, "owner", known=known)
    matrix.settle()
    told(matrix)


def first_call(matrix, call, elsewhere):
    """The colleague may call as well, but finds the room taken; so the owner is first here and the others follow."""
    matrix.covered.add("CallMeeting")
    code, meeting = matrix._ask("CallMeeting", call, "owner")
    assert code == "OK", meeting
    for person in matrix.people:
        if person != "owner":
            matrix._cell(
                "CallMeeting",
                person,
                matrix._expected("CallMeeting", person, elsewhere),
                matrix._ask("CallMeeting", call, person)[0],
            )
    return meeting


def test_knowledge(run):
    """# check 19: knowledge"""
    matrix = run(replace(KNOWLEDGE, consumers=lambda _parts: []), knowledge_pb2_grpc.KnowledgeServiceStub)
    mark = f"雷公藤{uuid.uuid4().hex[:6]}"
    header = knowledge.UploadHeader(
        title=f"{mark}防治办法", kind="material", readers=["u:fgw"], keeper="fgw", text=f"# {mark}\n正文"
    )
    kinds = matrix._ask("ListCategories", knowledge.ListCategoriesRequest(), "holder")[1].kinds
    header.kind = next(one.kind for one in kinds if one.uploadable)
    parts = [
        knowledge.UploadItemRequest(header=header),
        knowledge.UploadItemRequest(file=knowledge.FileStart(name="a.txt")),
    ]
    parts.append(knowledge.UploadItemRequest(chunk=f"{mark}的附件".encode()))
    own = ("fellow", "chief", "fgw-clerk", "neighbour")
    # Whoever is of the organisation may bring something in for it; whoever is not may not.
    item = matrix.step("UploadItem", parts, "holder", known=dict.fromkeys(PEOPLE, BAD), also=own)
    key = {"item": item.item}
    matrix.step("GetItem", knowledge.GetItemRequest(**key), "holder", also=own)
    matrix.step(
        "ReadItemFile", knowledge.ReadItemFileRequest(**key, digest=item.files[0].digest), "holder", also=own
    )
    matrix.step("ListSimilarItems", knowledge.ListSimilarItemsRequest(**key), "holder", also=own)
    readers = dict.fromkeys(("fellow", "chief", "neighbour"), DENIED)
    update = knowledge.UpdateItemRequest(
        **key, title=item.title, kind=item.kind, readers=["u:fgw"], categories=["防治"]
    )
    matrix.step("UpdateItem", update, "holder", known=readers, also=("fgw-clerk",))
    seen = {"holder", *own}

    def found(person, answer):
        hits = sum(hit.item.title == item.title for hit in answer.hits)
        return (person in seen) == bool(hits) and bool(answer.total) == bool(answer.hits)

    words = knowledge.SearchItemsRequest(words=mark)
    eventually(lambda: matrix._ask("SearchItems", words, "fellow")[1].total)
    matrix.open("SearchItems", words, found)
    matrix.open(
        "Suggest",
        knowledge.SuggestRequest(prefix=mark[:4]),
        lambda person, answer: (person in seen) == bool(answer.titles),
    )
    matrix.open(
        "ListCategories",
        knowledge.ListCategoriesRequest(),
        lambda person, answer: (person in seen) == (answer.total > 0),
    )
    matrix.step(
        "WithdrawItem", knowledge.WithdrawItemRequest(**key), "holder", known=readers, but=("fgw-clerk",)
    )
    # A withdrawn item is its keepers' alone.
    matrix.step("GetItem", knowledge.GetItemRequest(**key), "holder", also=("fgw-clerk",))
    matrix.step("RestoreItem", knowledge.RestoreItemRequest(**key), "fgw-clerk", but=("holder",))
    imported = [
        knowledge.ImportItemRequest(
            header=knowledge.ImportHeader(path="a/b.txt", kind="regulation", digest="x", size=1)
        )
    ]
    matrix.open("ImportItem", imported, always)
    matrix.settle()
    told(matrix)
