"""The jobs beside the chain's writer outlive a fault of their own."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace

from chassis.tests.helpers import settings
from services.audit import events
from services.audit.events import Taking


def test_checkpoints_and_notes_go_on_after_a_fault(tmp_path, monkeypatch):
    monkeypatch.setenv("TONGBAN_AUDIT_CHECKPOINT_SECONDS", "0.01")
    monkeypatch.setattr(events, "NOTE_SECONDS", 0.01)
    monkeypatch.setattr(events, "PAUSE", 0.01)
    turns = {"checkpoint": 0, "note": 0}

    def faulty(what):
        turns[what] += 1
        if turns[what] == 1:
            raise ZeroDivisionError

    async def nothing():
        await asyncio.sleep(0)

    async def scene():
        keeper = SimpleNamespace(checkpoint=lambda: faulty("checkpoint"), note=lambda: faulty("note"))
        taking = Taking(settings(tmp_path), keeper, None, None)
        taking._bus = SimpleNamespace(connect=nothing, close=nothing)
        monkeypatch.setattr(taking, "_follow", lambda: asyncio.sleep(60))
        running = asyncio.create_task(taking.run())
        async with asyncio.timeout(5):
            while min(turns.values()) < 3:  # noqa: ASYNC110 - nobody is told
                await asyncio.sleep(0.01)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        before = dict(turns)
        await asyncio.sleep(0.05)
        assert turns == before, "with the writer its other jobs end"

    asyncio.run(scene())
