"""Order and figures of a to-do list."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from services.tasks.model import Summary, count, in_order

NOW = datetime(2026, 11, 20, 1, tzinfo=UTC)


def item(key, *, age=1, due=None, urgency="", urged=0):
    return Summary(
        obligation=key, revision=1, kind="documents.review", action="审核", title=key, link="/", holder="p:a", sender="s",
        sender_unit="zfb", urgency=urgency, level=0, opened_at=NOW - timedelta(days=age),
        due_at=NOW + timedelta(days=due) if due else None, matter="", on_behalf_of="", urged=urged,
    )  # fmt: skip


def test_pressing_ones_first_then_the_newest():
    items = [
        item("new", age=1), item("old", age=9), item("jiaji", urgency="加急"), item("teji", urgency="特急"),
        item("urged", urged=1, age=3), item("overdue", due=-1), item("overdue-teji", due=-2, urgency="特急"),
        item("due-soon", due=1, age=5),
    ]  # fmt: skip
    order = [one.obligation for one in in_order(items, NOW)]
    assert order == ["overdue-teji", "overdue", "teji", "urged", "jiaji", "new", "due-soon", "old"]


def test_figures():
    figures = count([item("a", due=-1), item("b", urgency="加急"), item("c", urged=2), item("d")], NOW)
    assert (figures.total, figures.overdue, figures.urgent, figures.kinds) == (
        4,
        1,
        2,
        {"documents.review": 4},
    )
