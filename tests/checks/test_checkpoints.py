"""On the running platform, whatever is on record has been signed within a minute."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from services.audit.model.chain import read, record_of
from services.audit.repository import Chain

pytestmark = [pytest.mark.e2e]
_NEVER = datetime.max.replace(tzinfo=UTC)
INTERVAL = timedelta(seconds=60)
SLACK = timedelta(seconds=30)  # of a machine on which a whole suite runs


def test_what_is_on_record_is_signed_within_a_minute(stack):
    """# check 77"""
    chain = Chain(Path(stack.env["TONGBAN_VAR"]) / "audit" / "chain")
    signed = [(one.number, datetime.fromisoformat(one.at)) for one in chain.checkpoints()]
    lines = [(read(raw), record_of(raw)) for raw, _ in chain.lines()]
    # What was on record when an earlier process of this kind ended had to wait for the next one.
    began = max(line.number for line, record in lines if record["action"] == "AuditStarted")
    last = datetime.fromisoformat(lines[-1][0].kept)
    waited = []
    for line, _ in lines:
        kept = datetime.fromisoformat(line.kept)
        if line.number < began or kept > last - INTERVAL - SLACK:
            continue
        waited.append(min((at for number, at in signed if number >= line.number), default=_NEVER) - kept)
    assert max(waited, default=timedelta()) <= INTERVAL + SLACK
    state = json.loads((chain.folder / "state.json").read_text())
    print(
        f"check 77: {len(waited)} records, each under a signature after {max(waited, default=timedelta()).total_seconds():.0f} s"
        f" at the latest; {len(signed)} checkpoints, head {state['head']}"
    )
