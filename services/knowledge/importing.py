"""`python -m services.knowledge import FOLDER`: a folder's files, through the one door.

Run twice, it adds nothing. A file that cannot be read is named and the rest goes on; the exit code is then 1.
"""

from __future__ import annotations

import argparse
import hashlib
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from tongban.knowledge.v1 import knowledge_pb2 as pb
from tongban.knowledge.v1 import knowledge_pb2_grpc

from chassis import context
from chassis.client import Client
from chassis.errors import TongbanError, Unavailable
from chassis.parts import Parts

CHUNK = 1 << 20
SECONDS = 60.0  # for one file
ATTEMPTS = 5
SUFFIXES = frozenset({".md", ".markdown", ".txt", ".docx", ".pdf", ".html", ".htm"})
_NAMES = {"created": "新增", "changed": "更新", "unchanged": "未变"}


@dataclass
class Progress:
    """What has been done so far, told on one line."""

    total: int
    done: Counter[str] = field(default_factory=Counter)
    failed: list[tuple[str, str]] = field(default_factory=list)
    started: float = field(default_factory=time.monotonic)
    _told: float = 0.0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def ended(self, name: str, outcome: str, problem: str = "") -> None:
        """Note one file's end."""
        with self._lock:
            self.done[outcome] += 1
            if problem:
                self.failed.append((name, problem))
            # A terminal is repainted often; a log file gets a line every few seconds.
            if (
                time.monotonic() - self._told > (0.2 if sys.stdout.isatty() else 5.0)
                or self.done.total() == self.total
            ):
                self._told = time.monotonic()
                self._tell(name)

    def _tell(self, name: str) -> None:
        done, seconds = self.done.total(), max(time.monotonic() - self.started, 0.001)
        line = f"{done}/{self.total}  {done / seconds:.1f} 个/秒  {name}"
        if sys.stdout.isatty():
            sys.stdout.write(f"\r\x1b[K{line[:100]}")
        else:
            sys.stdout.write(line + "\n")
        sys.stdout.flush()

    def summary(self) -> str:
        """The last line, and one line for each file that failed."""
        counts = "，".join(f"{_NAMES[name]} {self.done[name]}" for name in _NAMES)
        seconds = max(time.monotonic() - self.started, 0.001)
        lines = [
            f"{counts}，失败 {len(self.failed)}；用时 {seconds:.1f} 秒（{self.total / seconds:.1f} 个/秒）"
        ]
        lines += [f"失败：{name}：{problem}" for name, problem in sorted(self.failed)]
        return "\n".join(lines)


def run(parts: Parts, arguments: list[str]) -> int:
    """The command; gives the exit code."""
    given = _arguments(arguments)
    folder: Path = given.folder
    if not folder.is_dir():
        sys.stderr.write(f"没有这个文件夹：{folder}\n")
        return 2
    paths = sorted(path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES and path.is_file())
    client = Client("knowledge", knowledge_pb2_grpc.KnowledgeServiceStub, token=parts.token.get)
    progress = Progress(len(paths))

    def one(path: Path) -> None:
        name = path.relative_to(folder).as_posix()
        try:
            with context.serving(context.Call(method="import", deadline=time.monotonic() + SECONDS)):
                outcome = _send(client, path, _header(given, f"{folder.resolve().name}/{name}"))
        except TongbanError as problem:
            progress.ended(name, "failed", problem.zh)
        except OSError as problem:
            progress.ended(name, "failed", f"无法读取文件（{problem.strerror}）")
        else:
            progress.ended(name, outcome)

    with ThreadPoolExecutor(given.parallel) as pool:
        list(pool.map(one, paths))
    sys.stdout.write(("\n" if sys.stdout.isatty() else "") + progress.summary() + "\n")
    return 1 if progress.failed else 0


def _arguments(given: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m services.knowledge import", description="把文件夹中的资料导入知识库。"
    )
    parser.add_argument("folder", type=Path, help="文件夹（md、txt、docx、pdf、html，含子文件夹）")
    parser.add_argument("--readers", default="all", help="阅读范围，逗号分隔：all、u:<单位>（默认 all）")
    parser.add_argument("--kind", default="regulation", help="资料类别（默认 regulation）")
    parser.add_argument("--keeper", default="", help="保管单位")
    parser.add_argument("--issuer", default="", help="发布机关（默认从正文识别）")
    parser.add_argument("--category", action="append", default=[], help="分类，可多次")
    parser.add_argument("--level", type=int, default=0, help="密级 0–3（默认 0）")
    parser.add_argument("--parallel", type=int, default=6, help="同时处理的文件数（默认 6）")
    return parser.parse_args(given)


def _header(given: argparse.Namespace, path: str) -> pb.ImportHeader:
    return pb.ImportHeader(
        path=path,
        kind=given.kind,
        readers=[one.strip() for one in given.readers.split(",") if one.strip()],
        level=given.level,
        keeper=given.keeper,
        issuer=given.issuer,
        categories=given.category,
    )


def _send(client: Client, path: Path, header: pb.ImportHeader) -> str:
    """Send one file; gives the outcome. A service that is away for a moment is asked again."""
    data = path.read_bytes()
    header.digest, header.size = hashlib.sha256(data).hexdigest(), len(data)
    for attempt in range(1, ATTEMPTS + 1):
        try:
            answer: pb.ImportItemResponse = client.ImportItem(_messages(header, data), seconds=SECONDS)
        except Unavailable:
            # The client does not repeat streams by itself; importing a file twice has one effect, so it may
            # be.
            if attempt == ATTEMPTS:
                raise
            time.sleep(0.3 * 2**attempt)
        else:
            return answer.outcome
    raise AssertionError("the loop returns or raises")


def _messages(header: pb.ImportHeader, data: bytes) -> Iterator[pb.ImportItemRequest]:
    yield pb.ImportItemRequest(header=header)
    for start in range(0, len(data), CHUNK):
        yield pb.ImportItemRequest(chunk=data[start : start + CHUNK])
