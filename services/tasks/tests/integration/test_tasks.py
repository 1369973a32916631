"""Free tasks through the gRPC door: giving, reporting, completing, returning, settling, cancelling."""

from __future__ import annotations

import uuid
from concurrent.futures import ThreadPoolExecutor

import pytest
from tongban.tasks.v1 import tasks_pb2 as pb

from chassis.errors import Conflict, Forbidden, InvalidInput, NotFound, WrongState
from services.tasks.tests.integration.conftest import AS
from tests.inprocess import eventually

pytestmark = pytest.mark.integration


def rid():
    return uuid.uuid4().hex


def create(tasks, *assignees, by="zhuren", request_id="", **how):
    given = {"title": "报送第四季度重点项目进展", "text": "按附表填写。", **how}
    asked = pb.CreateTaskRequest(assignees=assignees, request_id=request_id or rid(), **given)
    return tasks.call("CreateTask", asked, AS[by])


def owed(tasks, person):
    return {
        one.obligation: one for one in tasks.call("ListTodo", pb.ListTodoRequest(), AS[person]).obligations
    }


def test_the_life_of_a_task(tasks):
    task = create(tasks, "p:keyuan", "u:fgw", "p:kezhang", urgency="加急")
    assert [part.holder for part in task.assignments] == ["p:keyuan", "u:fgw:registrar", "p:kezhang"]
    first, second, third = (part.obligation for part in task.assignments)
    mine = eventually(lambda: owed(tasks, "keyuan").get(first))
    assert (mine.action, mine.link, mine.sender, mine.urgency) == (
        "办理",
        f"/tasks/task/{task.task}",
        "zhuren",
        "加急",
    )
    eventually(lambda: second in owed(tasks, "fg-wenshu"))

    tasks.call(
        "ReportProgress",
        pb.ReportProgressRequest(task=task.task, text="已收集一半", request_id=rid()),
        AS["keyuan"],
    )
    done = tasks.call(
        "CompleteTask",
        pb.CompleteTaskRequest(task=task.task, result="已报送", request_id=rid()),
        AS["keyuan"],
    )
    assert [(part.state, part.mine) for part in done.assignments] == [
        ("done", False),
        ("open", False),
        ("open", False),
    ]
    eventually(lambda: first not in owed(tasks, "keyuan"))
    with pytest.raises(WrongState):
        tasks.call("CompleteTask", pb.CompleteTaskRequest(task=task.task, request_id=rid()), AS["keyuan"])

    back = pb.ReturnTaskRequest(task=task.task, reason="应由投资科牵头", request_id=rid())
    tasks.call("ReturnTask", back, AS["kezhang"])
    answer = eventually(lambda: owed(tasks, "zhuren").get(f"{third}|answer"))
    assert (answer.action, answer.sender) == ("处理退回", "kezhang")
    settle = pb.SettleReturnRequest(
        task=task.task, assignment=3, assignees=["p:fg-juzhang"], request_id=rid()
    )
    with pytest.raises(Forbidden):
        tasks.call("SettleReturn", settle, AS["keyuan"])
    settled = tasks.call("SettleReturn", settle, AS["zhuren"])
    assert [part.state for part in settled.assignments] == ["done", "open", "settled", "open"]
    eventually(lambda: settled.assignments[3].obligation in owed(tasks, "fg-juzhang"))
    eventually(lambda: f"{third}|answer" not in owed(tasks, "zhuren"))

    cancelled = tasks.call(
        "CancelTask", pb.CancelTaskRequest(task=task.task, reason="会议取消", request_id=rid()), AS["zhuren"]
    )
    assert cancelled.state == "cancelled"
    eventually(lambda: second not in owed(tasks, "fg-wenshu"))


def test_the_same_request_twice_is_one_task(tasks):
    """# check 42"""
    request_id = rid()
    with ThreadPoolExecutor(16) as pool:
        made = list(pool.map(lambda _: create(tasks, "p:keyuan", request_id=request_id), range(100)))
    assert len({one.task for one in made}) == 1
    with pytest.raises(InvalidInput, match="REQUEST_ID_REUSED"):
        create(tasks, "p:kezhang", request_id=request_id)


def test_who_may_see_and_who_may_act(tasks):
    task = create(tasks, "p:keyuan")
    for person in ("fg-wenshu", "quzhang"):
        with pytest.raises(NotFound):
            tasks.call("GetTask", pb.GetTaskRequest(task=task.task), AS[person])
        with pytest.raises(NotFound):
            tasks.call(
                "CancelTask", pb.CancelTaskRequest(task=task.task, reason="x", request_id=rid()), AS[person]
            )
    assert not tasks.call("GetTask", pb.GetTaskRequest(task=task.task), AS["keyuan"]).may_manage
    with pytest.raises(Forbidden):
        tasks.call(
            "CancelTask", pb.CancelTaskRequest(task=task.task, reason="x", request_id=rid()), AS["keyuan"]
        )
    with pytest.raises(Forbidden):
        create(tasks, "p:keyuan", unit="fgw")


@pytest.mark.parametrize("assignee", ["p:nobody", "u:nowhere", "all", "", "u:fgw-tz", "p:"])
def test_unknown_assignees_are_refused(tasks, assignee):
    with pytest.raises(InvalidInput) as refused:
        create(tasks, assignee)
    assert set(refused.value.fields) == {"assignees"}


def test_a_stale_etag_is_refused_and_a_request_id_is_needed(tasks):
    task = create(tasks, "p:keyuan")
    asked = pb.ReportProgressRequest(task=task.task, text="一半", etag=task.etag, request_id=rid())
    tasks.call("ReportProgress", asked, AS["keyuan"])
    again = pb.ReportProgressRequest(task=task.task, text="更多", etag=task.etag, request_id=rid())
    with pytest.raises(Conflict):
        tasks.call("ReportProgress", again, AS["keyuan"])
    with pytest.raises(InvalidInput):
        tasks.call("ReportProgress", pb.ReportProgressRequest(task=task.task, text="一半"), AS["keyuan"])
