"""Files are shown to ClamAV before they are acknowledged, where the setting TONGBAN_CLAMD names one (host:port or a socket's path).

The protocol is clamd's INSTREAM: lengths and pieces, an empty piece, one sentence back.
"""

from __future__ import annotations

import contextlib
import hashlib
import re
import socket
import struct
from collections.abc import Iterable

from chassis import context, log
from chassis.errors import Forbidden, Unavailable
from chassis.settings import SettingMissing, number, text

SECONDS = 20.0  # without a word from clamd; TONGBAN_CLAMD_SECONDS
_ANSWER = 4096  # bytes
_log = log.get(__name__)


def scan(pieces: Iterable[bytes]) -> None:
    """Show a file to clamd; without the setting, nothing happens.

    Raises Forbidden for an infected file; Unavailable when clamd does not answer, unless TONGBAN_CLAMD_AWAY is "accept".
    """
    address = text("CLAMD")
    if not address:
        return
    digest = hashlib.sha256()
    try:
        answer = _ask(address, pieces, digest)
        if answer.endswith(" FOUND"):
            signature = answer.partition(": ")[2].removesuffix(" FOUND")
            # Neither the answer nor the log holds the file's name: by the digest it can be found with its sender.
            _log.warning("infected file refused", digest=digest.hexdigest(), signature=signature)
            raise Forbidden(
                "FILE_INFECTED",
                "文件未通过病毒检查，已拒绝。请先在本机查杀病毒，再重新上传。",
                "The file is infected.",
            )
        if answer.endswith(": OK"):
            return
        problem = answer[:200]
    except OSError as failure:
        problem = str(failure) or type(failure).__name__
    _unscanned(problem)


def _ask(address: str, pieces: Iterable[bytes], digest: hashlib._Hash) -> str:
    with contextlib.closing(_connected(address)) as wire:
        wire.sendall(b"zINSTREAM\0")
        try:
            for piece in pieces:
                digest.update(piece)
                wire.sendall(struct.pack(">I", len(piece)) + piece)
            wire.sendall(struct.pack(">I", 0))
        except (BrokenPipeError, ConnectionResetError):
            # It has heard enough, of a virus or beyond its own limit: what it said is still to be read.
            _log.info("clamd stopped listening", digest=digest.hexdigest())
        answer = b""
        while len(answer) < _ANSWER and b"\0" not in answer and (part := wire.recv(_ANSWER)):
            answer += part
    return answer.partition(b"\0")[0].decode("utf-8", "replace").strip()


def _connected(address: str) -> socket.socket:
    seconds = min(number("CLAMD_SECONDS", SECONDS), max(context.current().left(), 0.1))
    if address.removeprefix("unix:").startswith("/"):
        wire = socket.socket(socket.AF_UNIX)
        wire.settimeout(seconds)
        try:
            wire.connect(address.removeprefix("unix:"))
        except OSError:
            wire.close()
            raise
        return wire
    found = re.fullmatch(r"\[?([^\]]+)\]?:(\d{1,5})", address)
    if found is None:
        raise SettingMissing(f"The setting TONGBAN_CLAMD must be host:port or a path, not {address!r}.")
    return socket.create_connection((found[1], int(found[2])), timeout=seconds)


def _unscanned(problem: str) -> None:
    accept = text("CLAMD_AWAY", "refuse") == "accept"
    _log.error("file not scanned", problem=problem, accepted=accept)
    if not accept:
        raise Unavailable(
            "NO_VIRUS_SCAN", "病毒检查服务暂时不可用，文件未保存，请稍后再试。", "Files cannot be scanned."
        )
