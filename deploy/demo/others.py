"""The rest of the district's life: tasks that leaders gave, rooms and meetings."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from tongban.tasks.v1 import tasks_pb2 as tasks
from tongban.tasks.v1 import tasks_pb2_grpc

from deploy.demo import texts
from deploy.demo.acting import stub
from deploy.demo.life import Story


def fill_others(story: Story, say: Callable[[str], None]) -> None:
    """Everything beside documents."""
    give_tasks(story)
    say(f"{len(texts.TASKS)} tasks")


def give_tasks(story: Story) -> None:
    """A few tasks, some of them done."""
    service = stub("tasks", tasks_pb2_grpc.TaskServiceStub)
    for number, (title, text) in enumerate(texts.TASKS):
        at = story.end - timedelta(days=6 - number, hours=3)
        who = ["qfb.mishu", "qfb.zonghe", "fgw.zonghe"][number]
        wish = tasks.CreateTaskRequest(title=title, text=text, assignees=[f"p:{story.ids[who]}"], unit="qfb")
        wish.due_at.FromDatetime(_naive(story.end + timedelta(days=number)))
        made = story.people.call(service.CreateTask, wish, "qfb.zhuren", at)
        if number == 0:
            done = tasks.CompleteTaskRequest(task=made.task, result="已整理完毕，请审阅。")
            story.people.call(service.CompleteTask, done, who, at + timedelta(hours=20))


def _naive(moment: datetime) -> datetime:
    return moment.astimezone(UTC).replace(tzinfo=None)
