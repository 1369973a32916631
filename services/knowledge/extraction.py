"""Extraction within bounds: simple texts at once, all else in a process of its own, few at a time."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from pathlib import Path, PurePosixPath

from chassis import context, log
from chassis.errors import TooMuch
from chassis.settings import number
from services.knowledge import extract
from services.knowledge.extract import Extracted, unreadable

_log = log.get(__name__)
_ROOT = Path(__file__).resolve().parents[2]
_SUFFIXES = {"markdown": "md", "htm": "html", "text": "txt"}
_SIMPLE = frozenset({"md", "txt"})
_slots = threading.BoundedSemaphore(int(number("EXTRACTIONS", 2)))


def kind_of(name: str) -> str:
    """The kind of file that a name's ending states, '' when we read no such files."""
    suffix = PurePosixPath(name).suffix.lower().removeprefix(".")
    kind = _SUFFIXES.get(suffix, suffix)
    return kind if kind in extract.KINDS else ""


def media_type(name: str, head: bytes) -> str:
    """The type under which a file is handed out: only what the content proves, and never HTML."""
    kind = kind_of(name)
    if b"%PDF-" in head[:1024] and kind == "pdf":
        return "application/pdf"
    if head.startswith(b"PK\x03\x04") and kind == "docx":
        return "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
    return (
        "text/plain; charset=utf-8" if kind in _SIMPLE and b"\x00" not in head else "application/octet-stream"
    )


def text_of(name: str, data: bytes) -> Extracted:
    """The text of a file.

    Raises InvalidInput with a sentence about the file, TooMuch when the queue of files leaves no time for
    this one.
    """
    kind = kind_of(name)
    if kind in _SIMPLE or not kind:
        return extract.extract(kind, data)
    left = context.current().left()
    if not _slots.acquire(timeout=left):
        raise TooMuch("EXTRACTION_BUSY", "正在处理的文件较多，请稍后再试。", "Too many files are being read.")
    try:
        return _in_process(kind, data, min(left, extract.SECONDS))
    finally:
        _slots.release()


def _in_process(kind: str, data: bytes, seconds: float) -> Extracted:
    # A bare environment: the parser of a stranger's file needs neither our secrets nor our addresses.
    environment = {
        "PATH": os.environ.get("PATH", ""),
        "PYTHONPATH": os.pathsep.join(path for path in sys.path if path),
    }
    command = [sys.executable, "-m", "services.knowledge.extract", kind]
    try:
        done = subprocess.run(
            command, input=data, capture_output=True, timeout=seconds, check=False, cwd=_ROOT, env=environment
        )
    except subprocess.TimeoutExpired as problem:
        raise unreadable("文件过于复杂，未能在规定时间内读完。", "FILE_TOO_LARGE") from problem
    if done.returncode != 0:
        _log.warning(
            "extraction failed",
            kind=kind,
            code=done.returncode,
            problem=done.stderr[-500:].decode(errors="replace"),
        )
        raise unreadable("文件过大或已损坏，无法读取。")
    answer = json.loads(done.stdout)
    if "reason" in answer:
        raise unreadable(answer["zh"], answer["reason"])
    return Extracted(answer["text"], answer["format"])
