"""What comes between the reading of a page's list and the opening of its stream stands on the page all the same."""

from __future__ import annotations

import uuid

import pytest
from playwright.sync_api import Page, Route, expect

from tests.e2e.conftest import Enter, Platform
from tests.inprocess import eventually

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(180)]
GIVE = """async (wish) => {
  const answer = await fetch("/api/v1/tasks/tasks", {
    method: "POST", body: JSON.stringify(wish),
    headers: { "Content-Type": "application/json", "X-CSRF-Token": (await (await fetch("/auth/me")).json()).csrf,
      "Idempotency-Key": crypto.randomUUID() },
  });
  return answer.status;
}"""


def owed(page: Page) -> int:
    """How much the person of this page owes, as the service says it."""
    return int(
        page.evaluate("async () => (await (await fetch('/api/v1/tasks/todo:count')).json()).count.total")
    )


def test_what_came_before_the_page_listened_is_shown(enter: Enter, platform: Platform) -> None:
    title = f"补报第{uuid.uuid4().int % 100_000}号材料"
    giver, reader = enter("qfb.zonghe"), enter("czj.zonghe")
    held: list[Route] = []

    def hold(route: Route) -> None:
        held.append(route)

    reader.context.route("**/stream/", hold)
    reader.goto(platform.url + "/")
    reader.locator("#todo-list [data-todo-total]").wait_for(state="attached")
    before = owed(reader)
    me = reader.evaluate("async () => (await (await fetch('/auth/me')).json()).person")
    status = giver.evaluate(GIVE, {"title": title, "text": "请尽快。", "assignees": [f"p:{me}"]})
    assert status == 200

    def come() -> bool:
        return owed(reader) > before

    eventually(come, 60, pause=0.2)
    assert reader.locator("#todo-list").get_by_text(title).count() == 0
    assert held, "the page has not asked for its stream"
    for route in held:
        route.continue_()
    expect(reader.locator("#todo-list").get_by_text(title).first).to_be_visible()
