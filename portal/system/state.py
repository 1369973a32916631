"""The state of the platform as a message: facts and what to think of them."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from tongban.portal.v1 import administration_pb2 as pb

from portal.system import judging
from portal.system.facts import Facts, Process
from portal.system.judging import Verdict

KINDS = {"serve": "数据服务", "work": "后台处理", "pages": "页面", "web": "会话与接口", "stream": "实时推送"}


def state(facts: Facts) -> pb.GetSystemStateResponse:
    """Everything that the page shows; the same for whoever asks the API."""
    verdicts: list[Verdict] = []

    def finding(verdict: Verdict) -> pb.Finding:
        verdicts.append(verdict)
        return pb.Finding(**verdict._asdict())

    workers = [one for one in facts.processes if one.process == "work"]
    answer = pb.GetSystemStateResponse(
        engines=[
            pb.Engine(
                engine=one.engine, name=judging.ENGINES[one.engine], version=one.version, detail=one.detail,
                finding=finding(judging.engine(one)),
            )
            for one in facts.engines
        ],
        disk=pb.Disk(free=facts.disk_free or 0, size=facts.disk_size, finding=finding(judging.disk(facts))),
        processes=[_process(one, finding(judging.process(one))) for one in facts.processes],
        broker=finding(judging.broker(facts)),
        dead_letters=pb.DeadLetterCount(
            count=facts.broker.dead if facts.broker else 0, finding=finding(judging.dead_letters(facts))
        ),
        outboxes=[
            _dated(
                pb.Outbox(
                    unit=one.unit, unit_name=one.unit_name, waiting=int(one.figure("tongban_outbox_waiting") or 0),
                    finding=finding(judging.outbox(one)),
                ),
                oldest=_before(facts, one.figure("tongban_outbox_oldest_seconds") or None),
            )
            for one in workers
        ],
        indexes=[
            _dated(
                pb.SearchIndex(
                    unit=one.unit, unit_name=one.unit_name, entries=int(one.figure("tongban_index_entries") or 0),
                    finding=finding(judging.index(one)),
                ),
                refreshed=_before(facts, one.figure("tongban_index_age_seconds")),
            )
            for one in workers
            # Whether it keeps one it says itself; of a process that is silent the list of processes speaks.
            if one.figure("tongban_index_ready") is not None
        ],
        backup=_backup(facts, finding(judging.backup(facts.backup, facts))),
        certificate=_dated(
            pb.CertificateState(finding=finding(judging.certificate(facts))), ends=facts.certificate_ends
        ),
    )  # fmt: skip
    for one in facts.broker.consumers if facts.broker else ():
        unit = one.durable.partition("-")[0]
        answer.consumers.append(
            _dated(
                pb.ConsumerState(
                    consumer=one.durable, unit_name=facts.unit_names.get(unit, "已撤销的服务"), name=one.title or "内部消息",
                    pending=one.pending, unacknowledged=one.unacknowledged, finding=finding(judging.consumer(one, facts)),
                ),
                oldest=one.oldest,
            )
        )  # fmt: skip
    answer.overall.CopyFrom(pb.Finding(**judging.overall(verdicts)._asdict()))
    return _dated(answer, time=facts.time)  # type: ignore[no-any-return]


def _process(one: Process, finding: pb.Finding) -> pb.Process:
    message = pb.Process(
        unit=one.unit, unit_name=one.unit_name, process=one.process, process_name=KINDS.get(one.process, "其他"),
        restarts=one.restarts, reason=one.reason, memory=int(one.figure("process_resident_memory_bytes") or 0),
        descriptors=int(one.figure("process_open_fds") or 0), finding=finding,
    )  # fmt: skip
    return _dated(message, since=one.since)  # type: ignore[no-any-return]


def _backup(facts: Facts, finding: pb.Finding) -> pb.BackupState:
    last = facts.backup
    if last is None:
        return pb.BackupState(finding=finding)
    message = pb.BackupState(size=last.size, places=last.places, finding=finding)
    return _dated(message, time=last.time, verified=last.verified)  # type: ignore[no-any-return]


def _before(facts: Facts, seconds: float | None) -> datetime | None:
    return facts.time - timedelta(seconds=seconds) if seconds is not None else None


def _dated(message: Any, **moments: datetime | None) -> Any:
    for name, moment in moments.items():
        if moment is not None:
            getattr(message, name).FromDatetime(moment)
    return message
