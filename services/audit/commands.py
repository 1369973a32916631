"""What can be done with the chain: verify it, remove what is too old, say how it stands."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

from chassis.durable import replace_file
from chassis.errors import TongbanError, invalid, wrong_state
from services.audit.keeper import stamp
from services.audit.model.chain import DAYS, Anchor, Checkpoint, Finding, Walk, may_go, read
from services.audit.repository import Chain, first_of, remove_before
from services.audit.signing import Signer

VERIFIED = "verified.json"


@dataclass(frozen=True)
class Report:
    """What a verification found. first, last: numbers of the lines it walked along."""

    at: str
    first: int
    last: int
    lines: int
    checkpoints: int
    seconds: float
    findings: list[Finding] = field(default_factory=list)

    @property
    def whole(self) -> bool:
        """Whether everything is as it was written."""
        return not self.findings


def verify(
    chain: Chain, signer: Signer, witnessed: Iterable[Checkpoint] = (), first: int = 1,
    progress: Callable[[int], None] = lambda _lines: None,
) -> Report:  # fmt: skip
    """Walk along the chain from this number on and compare it with every checkpoint, the witness's too."""
    started = time.monotonic()
    signed, findings = _signed(chain, signer, witnessed)
    begin, previous = chain.begin()
    anchor = chain.anchor()
    if anchor is not None and not signer.good(anchor):
        findings.append(Finding("signature", anchor.number, "anchor.json"))
    if first > begin:
        begin, previous = _middle(chain, first, begin, previous)
    walk = Walk(begin, previous, {number: one for number, one in signed.items() if number >= begin})
    place = "chain"
    for raw, place in chain.lines(begin):
        walk.take(raw, place)
        if walk.lines % 10_000 == 0:
            progress(walk.lines)
    walk.end(place)
    return Report(
        stamp(datetime.now(UTC)), begin, walk.head[0], walk.lines, len(signed), round(time.monotonic() - started, 2),
        findings + walk.findings,
    )  # fmt: skip


def _middle(chain: Chain, first: int, begin: int, previous: str) -> tuple[int, str]:
    """Where the segment that holds this number begins, and the sum that its first line holds of the line before."""
    for raw, _ in chain.lines(first):
        line = read(raw)
        return line.number, line.previous
    return begin, previous


def _signed(
    chain: Chain, signer: Signer, witnessed: Iterable[Checkpoint]
) -> tuple[dict[int, Checkpoint], list[Finding]]:
    """The good checkpoints by number, and those which nobody with the key made."""
    found: dict[int, Checkpoint] = {}
    wrong: list[Finding] = []
    for place, some in (("checkpoints.jsonl", chain.checkpoints()), ("witness", witnessed)):
        for one in some:
            if not signer.good(one):
                wrong.append(Finding("signature", one.number, place))
                continue
            known = found.setdefault(one.number, one)
            if known.sum != one.sum:
                # The witness is believed: it does not lie where the chain does.
                wrong.append(Finding("checkpoint", one.number, place))
                found[one.number] = one
    return found, wrong


def keep_report(folder: Path, report: Report) -> None:
    """Keep the last report, for the page."""
    folder.mkdir(parents=True, exist_ok=True)
    replace_file(folder / VERIFIED, json.dumps(asdict(report), ensure_ascii=False).encode())


def last_report(folder: Path) -> Report | None:
    """The last report, None while nobody has verified."""
    path = folder / VERIFIED
    if not path.is_file():
        return None
    said: dict[str, Any] = json.loads(path.read_text())
    return Report(**{**said, "findings": [Finding(**one) for one in said["findings"]]})


def day(given: str) -> datetime:
    """The beginning of a day, "2026-05-01".

    Raises InvalidInput.
    """
    try:
        return datetime.strptime(given, "%Y-%m-%d").replace(tzinfo=UTC)
    except ValueError as problem:
        raise invalid(before="日期应写成 2026-05-01 的样子。") from problem


def removable(chain: Chain, signer: Signer, before: datetime, now: datetime) -> Anchor | None:
    """The anchor after which everything kept before this day may be removed, in whole segments; None when there is nothing to remove.

    Raises WrongState for what is younger than 184 days, and for a chain that is not whole.
    """
    if not may_go(before, now):
        raise too_young()
    anchor = None
    for segment, following in pairwise(chain.segments()):
        last = _last_line(segment)
        if datetime.fromisoformat(last[0]) >= before:
            break
        anchor = Anchor(first_of(following), last[1], f"{before:%Y-%m-%d}", stamp(now))
    if anchor is None:
        return None
    report = verify(chain, signer)
    if not report.whole:
        raise wrong_state("审计记录链校验未通过，不能清理。", "AUDIT_NOT_WHOLE", "The chain is not whole.")
    return signer.sign(anchor)


def remove(chain: Chain, anchor: Anchor) -> list[str]:
    """Remove what stands before the anchor; returns the files."""
    return [path.name for path in remove_before(chain, anchor)]


def too_young() -> TongbanError:
    """The refusal of a removal within the time for which records must be kept."""
    return wrong_state(
        f"审计记录至少保存{DAYS}天，不能清理更近的记录。",
        "TOO_YOUNG",
        f"Records are kept for {DAYS} days at least.",
    )


def _last_line(segment: Path) -> tuple[str, str]:
    """When the last line of a segment was kept, and its sum."""
    last = b""
    with segment.open("rb") as source:
        for raw in source:
            last = raw
    line = read(last.rstrip(b"\n"))
    return line.kept, line.sum
