"""The rest of the district's life: tasks that leaders gave, rooms and meetings, accounts in the old system."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from tongban.meetings.v1 import meetings_pb2 as meetings
from tongban.meetings.v1 import meetings_pb2_grpc
from tongban.portal.v1 import apps_pb2 as apps
from tongban.portal.v1 import apps_pb2_grpc
from tongban.tasks.v1 import tasks_pb2 as tasks
from tongban.tasks.v1 import tasks_pb2_grpc

from chassis.errors import NotFound
from chassis.times import SHANGHAI
from deploy.demo import texts
from deploy.demo.acting import stub
from deploy.demo.life import Story, working

# Who has stated an account of the old sample site; its accounts are oa001 to oa020 with this well-known password.
OLD_ACCOUNTS = {"qfb.wenshu": "oa001", "qfb.zhuren": "oa002", "fgw.wenshu": "oa003", "qzf.quzhang": "oa004"}
OLD_PASSWORD = "oldsite123"  # noqa: S105 - the sample's


def fill_others(story: Story, say: Callable[[str], None]) -> None:
    """Everything beside documents."""
    give_tasks(story)
    say(f"{len(texts.TASKS)} tasks")
    call_meetings(story)
    say(f"{len(texts.ROOMS)} rooms, {len(texts.MEETINGS)} meetings")
    state_accounts(story)


def give_tasks(story: Story) -> None:
    """A few tasks, some of them done."""
    service = stub("tasks", tasks_pb2_grpc.TaskServiceStub)
    for number, (title, text) in enumerate(texts.TASKS):
        at = working(story.end - timedelta(days=6 - number, hours=3))
        who = ["qfb.mishu", "qfb.zonghe", "fgw.zonghe"][number]
        wish = tasks.CreateTaskRequest(title=title, text=text, assignees=[f"p:{story.ids[who]}"], unit="qfb")
        wish.due_at.FromDatetime(_naive(working(story.end + timedelta(days=number + 1))))
        made = story.people.call(service.CreateTask, wish, "qfb.zhuren", min(at, story.end))
        if number == 0:
            done = tasks.CompleteTaskRequest(task=made.task, result="已整理完毕，请审阅。")
            story.people.call(
                service.CompleteTask, done, who, min(working(at + timedelta(hours=20)), story.end)
            )


def call_meetings(story: Story) -> None:
    """Rooms, and meetings in the coming days to which some units have answered."""
    service = stub("meetings", meetings_pb2_grpc.MeetingServiceStub)
    for key, name, capacity in texts.ROOMS:
        room = meetings.Room(
            room=key, name=name, unit="qfb", location="区政府机关大院", capacity=capacity, shared=True
        )
        story.people.call(service.SaveRoom, meetings.SaveRoomRequest(room=room), "qfb.wenshu")
    for number, title in enumerate(texts.MEETINGS):
        start = working(
            story.end.astimezone(SHANGHAI).replace(hour=9, minute=0, second=0, microsecond=0)
            + timedelta(days=number + 1)
        )
        start += timedelta(hours=number)
        units = story.units[number % 3 : number % 3 + 4]
        wish = meetings.CallMeetingRequest(
            title=title, agenda="一、通报前期工作情况\n二、各单位汇报\n三、领导讲话", room=texts.ROOMS[number % len(texts.ROOMS)][0],
            participants=[f"u:{unit}" for unit in units], unit="qfb",
        )  # fmt: skip
        wish.starts_at.FromDatetime(_naive(start))
        wish.ends_at.FromDatetime(_naive(start + timedelta(minutes=90)))
        made = story.people.call(service.CallMeeting, wish, "qfb.wenshu")
        for unit in units[:2]:
            answer = meetings.AnswerInvitationRequest(
                meeting=made.meeting, attend=True, attendees=[story.ids[_chief(story, unit)]]
            )
            story.people.call(service.AnswerInvitation, answer, f"{unit}.wenshu")


def state_accounts(story: Story) -> None:
    """Some people's accounts in the old sample site, where it runs."""
    service = stub("portal", apps_pb2_grpc.AppServiceStub)
    for who, account in OLD_ACCOUNTS.items():
        wish = apps.SaveCredentialRequest(app="oldsite", username=account, password=OLD_PASSWORD)
        try:
            story.people.call(service.SaveCredential, wish, who)
        except NotFound:
            # This deployment has no sample sites.
            return


def _chief(story: Story, unit: str) -> str:
    return next(
        name for name in (f"{unit}.juzhang", f"{unit}.fuzeren", f"{unit}.zhuren") if name in story.ids
    )


def _naive(moment: datetime) -> datetime:
    return moment.astimezone(UTC).replace(tzinfo=None)
