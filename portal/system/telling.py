"""`python -m portal state`: the same as the page, in the terminal, for when the page itself cannot be reached."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator

from tongban.portal.v1 import administration_pb2 as pb

from chassis.parts import Parts
from portal.system.reading import read
from portal.system.state import state

WORDS = {"good": "正常", "warn": "留意", "bad": "异常", "unknown": "未知"}


def tell(parts: Parts, _arguments: list[str]) -> int:
    """Write one line for each thing that is not well, all of them with the sum; status 1 when something is bad."""
    # What does not answer is told in words below.
    logging.getLogger().setLevel(logging.CRITICAL)
    told = state(read(parts))
    sys.stdout.write(f"{told.overall.sentence}\n")
    for name, finding in _findings(told):
        if finding.tone != "good":
            sys.stdout.write(
                f"{WORDS[finding.tone]}  {name}：{finding.sentence}{finding.action}（{finding.runbook}）\n"
            )
    parts.close()
    return 1 if told.overall.tone == "bad" else 0


def _findings(told: pb.GetSystemStateResponse) -> Iterator[tuple[str, pb.Finding]]:
    for engine in told.engines:
        yield engine.name, engine.finding
    for process in told.processes:
        yield f"{process.unit_name}·{process.process_name}", process.finding
    yield "事件处理", told.broker
    for consumer in told.consumers:
        yield f"{consumer.unit_name}·{consumer.name}", consumer.finding
    for outbox in told.outboxes:
        yield f"{outbox.unit_name}·待通知的内容", outbox.finding
    for index in told.indexes:
        yield f"{index.unit_name}·检索库", index.finding
    yield "未送达的事件", told.dead_letters.finding
    yield "磁盘", told.disk.finding
    yield "备份", told.backup.finding
    yield "证书", told.certificate.finding
