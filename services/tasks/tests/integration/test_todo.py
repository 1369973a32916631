"""From an event of another service to the holder's list, and back out of it."""

from __future__ import annotations

import random
import uuid
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from tongban.events.v1 import obligation_pb2 as events
from tongban.tasks.v1 import tasks_pb2 as pb

from chassis import clock
from chassis.errors import Forbidden, InvalidInput, NotFound, WrongState
from services.tasks.__main__ import of
from services.tasks.tests.integration.conftest import AS
from tests.inprocess import eventually, token

pytestmark = pytest.mark.integration


def stamp(days=0.0):
    made = Timestamp()
    made.FromDatetime(clock.now() + timedelta(days=days))
    return made


def opened(
    key, holder, *, title="关于报送材料的通知", sequence=1, level=0, due=None, urgency="", sender="wenshu"
):
    return events.ObligationOpened(
        obligation=key, sequence=sequence, holder=holder, kind="documents.review", action="审核", title=title,
        link=f"/documents/outgoing/{key}", sender=sender, sender_unit="zfb", urgency=urgency, level=level,
        opened_at=stamp(), due_at=stamp(due) if due else None, matter="d1",
    )  # fmt: skip


def closed(key, by, sequence=9, outcome="done"):
    return events.ObligationClosed(obligation=key, sequence=sequence, outcome=outcome, by=by, at=stamp())


def todo(tasks, person, **how):
    return tasks.call("ListTodo", pb.ListTodoRequest(**how), AS.get(person, person))


def keys(answer):
    return [one.obligation for one in answer.obligations]


def new():
    return f"documents|{uuid.uuid4().hex}|1"


def test_an_opened_obligation_is_in_the_list_and_pushed(tasks):
    key = new()
    tasks.tell("documents", opened(key, "p:kezhang", title="请审核投资计划"))
    eventually(lambda: key in keys(todo(tasks, "kezhang")), 30)
    push = eventually(
        lambda: [data for subject, data in tasks.pushes if subject == "tongban.push.p.kezhang"]
    )[-1]
    assert push == {
        "event": "todo", "change": "opened", "title": "请审核投资计划", "action": "审核", "link": f"/documents/outgoing/{key}",
    }  # fmt: skip
    tasks.tell("documents", closed(key, "kezhang"))
    eventually(lambda: key not in keys(todo(tasks, "kezhang")))
    done = eventually(
        lambda: [
            one
            for one in tasks.call("ListDone", pb.ListDoneRequest(words="投资计划"), AS["kezhang"]).obligations
            if one.obligation == key
        ]
    )
    assert done[0].closed_by == "kezhang"
    assert done[0].outcome == "done"


def test_a_post_is_answered_by_whoever_holds_it_and_a_reassigned_one_moves(tasks):
    key = new()
    tasks.tell("documents", opened(key, "u:fgw:registrar"))
    eventually(lambda: key in keys(todo(tasks, "fg-wenshu")))
    assert key not in keys(todo(tasks, "wenshu"))
    again = events.ObligationReassigned(
        obligation=key, sequence=2, holder="p:keyuan", by="fg-wenshu", at=stamp()
    )
    tasks.tell("documents", again)
    eventually(lambda: key in keys(todo(tasks, "keyuan")))
    # The new holder's list comes first: for a moment it stands in both, but never in none.
    eventually(lambda: key not in keys(todo(tasks, "fg-wenshu")))


def test_classified_items_are_neither_listed_nor_counted_without_clearance(tasks):
    def count():
        return tasks.call("GetTodoCount", pb.GetTodoCountRequest(), AS["fg-juzhang"]).count

    key, before = new(), count()
    tasks.tell("documents", opened(key, "u:fgw:leader", level=2, title="密件"))
    cleared = token("fg-juzhang", "fgw:leader", clearance=2)
    eventually(lambda: key in keys(todo(tasks, cleared)))
    assert key not in keys(todo(tasks, "fg-juzhang"))
    assert count() == before
    with pytest.raises(NotFound):
        tasks.call("GetObligation", pb.GetObligationRequest(obligation=key), AS["fg-juzhang"])
    pushed = [data for subject, data in tasks.pushes if subject == "tongban.push.u.fgw.leader"]
    assert "密件" not in str(pushed)


def test_pages_of_the_list_are_complete_and_in_order(tasks):
    person = token(f"p{uuid.uuid4().hex[:6]}", "fgw:member")
    holder = f"p:{tasks.parts.verifier.verify(person).person}"
    made = [new() for _ in range(25)]
    for number, key in enumerate(made):
        tasks.tell(
            "documents",
            opened(key, holder, urgency="特急" if number == 20 else "", due=-1 if number == 10 else None),
        )
    eventually(lambda: todo(tasks, person).count.total == 25)
    first = keys(todo(tasks, person))
    assert first[:2] == [made[10], made[20]]
    paged, page_token = [], ""
    while True:
        page = todo(tasks, person, page_size=7, page_token=page_token)
        paged += keys(page)
        page_token = page.next_page_token
        if not page_token:
            break
    assert paged == first
    assert todo(tasks, person).count.overdue == 1
    with pytest.raises(InvalidInput):
        todo(tasks, person, page_token="乱写")


def test_replayed_duplicated_and_shuffled_events_leave_the_same_state(tasks):
    """# check 43, # check 45: several workers, every event three times, in random order."""
    numbers = random.Random(43)
    keys_ = [new() for _ in range(12)]
    people = [f"p:x{uuid.uuid4().hex[:6]}" for _ in range(3)]
    history = []
    for key in keys_:
        history.append(opened(key, people[0]))
        history += [
            events.ObligationReassigned(
                obligation=key, sequence=2 + n, holder=numbers.choice(people), by="a", at=stamp()
            )
            for n in range(3)
        ]
        history += [
            events.ObligationUrged(obligation=key, urging=f"{key}-{n}", by="b", message="请尽快", at=stamp())
            for n in range(2)
        ]
        if numbers.random() < 0.5:
            history.append(closed(key, "x"))

    def state():
        kept = of(tasks.parts)
        found = kept.obligations.get_many(keys_)
        lists = {
            one.id: sorted((item.obligation, item.urged) for item in one.items)
            for one in kept.lists.get_many(people)
        }
        return sorted(one.fingerprint() for one in found.values()), lists

    def complete():
        """Whether everything was taken in, and the lists say what the obligations say."""
        by_key = of(tasks.parts).obligations.get_many(keys_)
        right = {person: [] for person in people}
        for key, one in by_key.items():
            if one.state == "open":
                right[one.holder].append((key, 2))
        taken = sum(len(one.holdings) + len(one.urgings) + bool(one.closing) for one in by_key.values())
        listed = {person: state()[1].get(person, []) for person in people}
        return taken == len(history) and {person: sorted(found) for person, found in right.items()} == listed

    ids = {}
    for number, event in enumerate(history):
        ids[number] = tasks.tell("documents", event)
    eventually(complete, 30)
    before = state()
    again = [(number, event) for number, event in enumerate(history)] * 2
    numbers.shuffle(again)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda one: tasks.tell("documents", one[1], event_id=ids[one[0]]), again))
        list(pool.map(lambda one: tasks.tell("documents", one[1]), again))
    marker = new()
    tasks.tell("documents", opened(marker, "p:nobody"))
    eventually(lambda: of(tasks.parts).obligations.find(marker), 60)
    assert state()[0] == before[0]
    eventually(complete)
    print(f"check 43: {len(history)} events, {len(again) * 2} repeated in random order, state hash unchanged")


def test_urging(tasks):
    key = new()
    tasks.tell("documents", opened(key, "p:keyuan", sender="zhuren"))
    eventually(lambda: key in keys(todo(tasks, "keyuan")))
    urge = pb.UrgeRequest(obligation=key, message="请今天办结", request_id=uuid.uuid4().hex)
    with pytest.raises(NotFound):
        tasks.call("Urge", urge, AS["fg-wenshu"])
    with pytest.raises(Forbidden):
        tasks.call("Urge", urge, AS["keyuan"])
    detail = tasks.call("Urge", urge, AS["wenshu"])
    assert [one.message for one in detail.urgings] == ["请今天办结"]
    assert tasks.call("Urge", urge, AS["wenshu"]).urgings == detail.urgings
    with pytest.raises(WrongState):
        tasks.call("Urge", pb.UrgeRequest(obligation=key, request_id=uuid.uuid4().hex), AS["wenshu"])
    # The urging comes back as an event and reaches the holder's list, counted once.
    mine = eventually(
        lambda: [one for one in todo(tasks, "keyuan").obligations if one.obligation == key and one.urged]
    )
    assert (mine[0].urged, mine[0].urge_message) == (1, "请今天办结")
    pressing = todo(tasks, "keyuan").count
    assert keys(todo(tasks, "keyuan")).index(key) < pressing.urgent + pressing.overdue
    sent = tasks.call("ListSent", pb.ListSentRequest(unit="zfb"), AS["wenshu"])
    assert key in keys(sent)
    with pytest.raises(Forbidden):
        tasks.call("ListSent", pb.ListSentRequest(unit="zfb"), AS["fg-wenshu"])


def test_statistics_of_a_unit_count_what_is_below_it(tasks):
    def figures(person, unit):
        return tasks.call("GetStatistics", pb.GetStatisticsRequest(unit=unit), AS[person]).whole

    before = figures("quzhang", "fgw")
    made = [new() for _ in range(4)]
    tasks.tell("documents", opened(made[0], "u:fgw:registrar"))
    tasks.tell("documents", opened(made[1], "p:keyuan", due=-2))
    tasks.tell("documents", opened(made[2], "p:kezhang", due=-2))
    tasks.tell("documents", closed(made[2], "kezhang"))
    eventually(lambda: figures("quzhang", "fgw").closed_late == before.closed_late + 1)
    after = eventually(lambda: (f := figures("quzhang", "fgw")).open == before.open + 2 and f)
    assert after.overdue == before.overdue + 1
    assert figures("fg-juzhang", "fgw") == after
    with pytest.raises(Forbidden):
        figures("fg-juzhang", "zfb")
    with pytest.raises(Forbidden):
        figures("keyuan", "fgw-tz")
    listed = tasks.call(
        "ListUnitObligations", pb.ListUnitObligationsRequest(unit="fgw", overdue=True), AS["quzhang"]
    )
    assert made[1] in keys(listed)
    assert made[0] not in keys(listed)


def test_without_a_token_or_a_post_nothing_is_answered(tasks):
    from chassis.errors import NotSignedIn

    with pytest.raises(NotSignedIn):
        tasks.call("ListTodo", pb.ListTodoRequest(), "x")
    with pytest.raises(Forbidden):
        tasks.call("ListTodo", pb.ListTodoRequest(), token("admin", roles=("system_administrator",)))
