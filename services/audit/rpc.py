"""proto ↔ command, and the table of who may call what: the auditor, and nobody else."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

import grpc
from google.api import httpbody_pb2
from google.protobuf.timestamp_pb2 import Timestamp
from tongban.audit.v1 import audit_pb2 as pb
from tongban.audit.v1 import audit_pb2_grpc

from chassis import audit, bounds
from chassis.door import Who, callers
from chassis.idempotency import request_of
from chassis.registry import micros
from chassis.times import moment, stamp
from services.audit import csv_export
from services.audit.commands import Report
from services.audit.registry import kind_of
from services.audit.room import Found, ReadingRoom, Standing, Wanted
from services.audit.words import FINDINGS, action_zh, result_zh, service_zh

_AUDITOR = callers("auditor")
WHO: Who = {
    "SearchEntries": _AUDITOR,
    "GetEntry": _AUDITOR,
    "GetChain": _AUDITOR,
    "StartVerification": _AUDITOR,
    "ReadEntries": _AUDITOR,
}
# Nothing here changes rights; and the chain must be verifiable when its stream is away.
SECURITY: frozenset[str] = frozenset()


class AuditService(audit_pb2_grpc.AuditServiceServicer):
    """tongban.audit.v1.AuditService."""

    def __init__(self, room: ReadingRoom) -> None:
        self._room = room

    def SearchEntries(
        self, request: pb.SearchEntriesRequest, _: grpc.ServicerContext
    ) -> pb.SearchEntriesResponse:
        audit.mark(keep=1, **_asked(request.filter))
        page = self._room.search(
            _wanted(request.filter, bounds.page_size(request.page_size, 50, 200), request.page_token)
        )
        return pb.SearchEntriesResponse(
            entries=map(_entry, page.entries), total=page.total, next_page_token=page.following
        )

    def GetEntry(self, request: pb.GetEntryRequest, _: grpc.ServicerContext) -> pb.Entry:
        audit.mark(keep=1)
        return _entry(self._room.entry(request.entry))

    def GetChain(self, _request: pb.GetChainRequest, _: grpc.ServicerContext) -> pb.Chain:
        return _chain(self._room.standing())

    def StartVerification(self, request: pb.StartVerificationRequest, _: grpc.ServicerContext) -> pb.Chain:
        request_of(request)
        self._room.start_verification()
        return _chain(self._room.standing())

    def ReadEntries(
        self, request: pb.ReadEntriesRequest, _: grpc.ServicerContext
    ) -> Iterator[httpbody_pb2.HttpBody]:
        audit.mark(keep=1, **_asked(request.filter))
        rows = self._room.all_entries(_wanted(request.filter, csv_export.PAGE, ""), csv_export.MOST)
        kind = 'text/csv; charset=utf-8; name="审计记录.csv"'
        for number, piece in enumerate(csv_export.pieces(rows, self._room.directory)):
            yield httpbody_pb2.HttpBody(content_type=kind if number == 0 else "", data=piece)


def _asked(given: pb.Filter) -> dict[str, str]:
    """What was looked for, for the record of this look."""
    names = ("words", "person", "unit", "service", "action", "result", "object")
    return {f"asked_{name}": value for name in names if (value := getattr(given, name))}


def _wanted(given: pb.Filter, size: int, after: str) -> Wanted:
    since = micros(moment(given.since))
    until = micros(moment(given.until))
    return Wanted(
        given.words, given.person, given.unit, given.service, given.action, given.result, given.object, since, until,
        size, after,
    )  # fmt: skip


def _entry(found: Found) -> pb.Entry:
    record = found.record
    service, action, kind = record.get("service", ""), record["action"], kind_of(record)
    texts = (
        "id", "service", "action", "object", "person", "name", "unit", "on_behalf_of", "session", "address", "peer", "result",
        "request_id", "trace", "acting_service",
    )  # fmt: skip
    made = pb.Entry(
        entry=str(found.number), service_label=service_zh(service), action_label=action_zh(service, action),
        result_label=result_zh(record["result"], kind), result_kind=kind, level=record.get("level", 0),
        details=record.get("details", {}), sum=found.sum, previous=found.previous, at=_stamp(record["at"]),
        **{name: record.get(name, "") for name in texts},
    )  # fmt: skip
    if found.kept:
        made.kept_at.FromDatetime(datetime.fromisoformat(found.kept))
    return made


def _chain(standing: Standing) -> pb.Chain:
    made = pb.Chain(
        head=standing.head, sum=standing.sum, first=standing.first, checkpoint=standing.checkpoint, waiting=standing.waiting,
        silent=standing.silent, lost=standing.lost, verifying=standing.verifying, kept_at=_stamp(standing.kept),
        checkpoint_at=_stamp(standing.checkpoint_at), alive_at=_stamp(standing.alive_at),
    )  # fmt: skip
    if standing.report is not None:
        made.verification.CopyFrom(_verification(standing.report))
    return made


def _verification(report: Report) -> pb.Verification:
    return pb.Verification(
        at=_stamp(report.at), whole=report.whole, lines=report.lines, first=report.first, last=report.last,
        checkpoints=report.checkpoints, seconds=report.seconds,
        findings=[
            pb.Finding(kind=one.kind, label=FINDINGS.get(one.kind, one.kind), number=one.number, place=one.place)
            for one in report.findings
        ],
    )  # fmt: skip


def _stamp(text: str) -> Timestamp | None:
    return stamp(datetime.fromisoformat(text) if text else None)
