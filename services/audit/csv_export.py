"""Entries as CSV for a spreadsheet, in which no cell is a formula, whatever somebody wrote into a name or an id."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator
from datetime import datetime
from itertools import chain, islice

from chassis.cells import safe_cell
from chassis.directory import Directory
from chassis.times import SHANGHAI
from chassis.words import LEVELS
from services.audit.registry import kind_of
from services.audit.room import Found
from services.audit.words import action_zh, result_zh, service_zh

PAGE, MOST = 200, 10_000
HEAD = (
    "序号", "时间", "系统", "操作", "结果", "人员", "账号编号", "单位", "代何人", "对象", "密级", "来源地址", "会话", "请求编号", "附加信息",
)  # fmt: skip


def pieces(entries: Iterable[Found], directory: Directory) -> Iterator[bytes]:
    """The file, piece by piece; with the mark by which spreadsheets know UTF-8.

    Raises what asking for the entries raises before the first piece: a refusal that comes later only breaks the download off.
    """
    found = iter(entries)
    first = list(islice(found, 1))
    yield "\ufeff".encode() + _lines([HEAD])
    batch: list[tuple[str, ...]] = []
    for one in chain(first, found):
        batch.append(_row(one, directory))
        if len(batch) >= PAGE:
            yield _lines(batch)
            batch = []
    if batch:
        yield _lines(batch)


def _row(found: Found, directory: Directory) -> tuple[str, ...]:
    record = found.record
    service = record.get("service", "")
    unit = directory.unit(record.get("unit", ""))
    at = datetime.fromisoformat(record["at"]).astimezone(SHANGHAI)
    details = "；".join(f"{name}={value}" for name, value in sorted(record.get("details", {}).items()))
    return (
        str(found.number), f"{at:%Y-%m-%d %H:%M:%S}", service_zh(service), action_zh(service, record["action"]),
        result_zh(record["result"], kind_of(record)), record.get("name", ""), record.get("person", ""),
        unit.name if unit else record.get("unit", ""), record.get("on_behalf_of", ""), record.get("object", ""),
        LEVELS[min(record.get("level", 0), 3)], record.get("address", ""), record.get("session", ""),
        record.get("request_id", ""), details,
    )  # fmt: skip


def _lines(rows: Iterable[Iterable[str]]) -> bytes:
    out = io.StringIO()
    csv.writer(out, quoting=csv.QUOTE_ALL).writerows([safe_cell(cell) for cell in row] for row in rows)
    return out.getvalue().encode()
