"""A small clamd: the real protocol (INSTREAM over TCP or a socket file), one signature; for tests, where no signature database can be had."""

from __future__ import annotations

import socketserver
import struct
import threading
from pathlib import Path
from typing import Self

SIGNATURE = b"X5O!P%@AP[4\\PZX54(P^)7CC)7}$" + b"EICAR-STANDARD-ANTIVIRUS-TEST-FILE!$H+H*"
STREAM_MAX = 100 << 20


class Clamd:
    """Listens until closed. `scanned`: sizes of what it was shown; `mute`: to hear everything and say nothing."""

    def __init__(self, path: Path | None = None, limit: int = STREAM_MAX, *, mute: bool = False) -> None:
        self.scanned: list[int] = []
        self.limit, self.mute = limit, mute
        outer = self

        class Session(socketserver.StreamRequestHandler):
            def handle(self) -> None:
                outer._serve(self)

        server = socketserver.ThreadingUnixStreamServer if path else socketserver.ThreadingTCPServer
        server.daemon_threads = True
        self._server = server(str(path) if path else ("127.0.0.1", 0), Session)
        self.address = str(path) if path else f"127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(5)

    def _serve(self, session: socketserver.StreamRequestHandler) -> None:
        command = b""
        while not command.endswith(b"\0"):
            command += session.rfile.read(1)
        if command != b"zINSTREAM\0":
            session.wfile.write(b"UNKNOWN COMMAND\0")
            return
        content = bytearray()
        while size := struct.unpack(">I", session.rfile.read(4))[0]:
            content += session.rfile.read(size)
            if len(content) > self.limit:
                session.wfile.write(b"INSTREAM size limit exceeded. ERROR\0")
                return
        self.scanned.append(len(content))
        if self.mute:
            threading.Event().wait(2)
            return
        session.wfile.write(
            b"stream: Eicar-Test-Signature FOUND\0" if SIGNATURE in content else b"stream: OK\0"
        )
