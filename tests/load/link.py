"""A small HTTP/1.1 client for asyncio: what a load needs and nothing else, so that the load itself costs little."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Target:
    """Where the edge is."""

    host: str
    port: int
    trust: ssl.SSLContext


@dataclass
class Link:
    """One connection that is kept and made anew when the other side has closed it."""

    target: Target
    _streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = field(default=None, repr=False)

    async def ask(
        self, method: str, path: str, headers: dict[str, str], body: bytes = b""
    ) -> tuple[int, bytes]:
        """One request; returns status and content."""
        try:
            return await self._ask(method, path, headers, body)
        except (ConnectionError, asyncio.IncompleteReadError):
            # Closed while idle, as any server may; once more on a new connection.
            self.close()
            return await self._ask(method, path, headers, body)

    async def _ask(self, method: str, path: str, headers: dict[str, str], body: bytes) -> tuple[int, bytes]:
        reader, writer = await self._open()
        writer.write(self._head(method, path, headers, body) + body)
        await writer.drain()
        status, told = await _head(reader)
        content = await _content(reader, told)
        if told.get("connection") == "close":
            self.close()
        return status, content

    async def events(self, path: str, headers: dict[str, str]) -> AsyncIterator[bytes]:
        """The lines of a stream of events, for ever."""
        reader, writer = await self._open()
        writer.write(self._head("GET", path, headers, b""))
        await writer.drain()
        status, _ = await _head(reader)
        if status != 200:
            raise ConnectionError(f"the stream answers {status}")
        while line := await reader.readline():
            yield line

    async def _open(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        if self._streams is None:
            self._streams = await asyncio.open_connection(
                "127.0.0.1", self.target.port, ssl=self.target.trust, server_hostname=self.target.host
            )
        return self._streams

    def _head(self, method: str, path: str, headers: dict[str, str], body: bytes) -> bytes:
        rows = [f"{method} {path} HTTP/1.1", f"Host: {self.target.host}:{self.target.port}"]
        rows += [f"{name}: {value}" for name, value in headers.items()]
        if body or method != "GET":
            rows.append(f"Content-Length: {len(body)}")
        return ("\r\n".join(rows) + "\r\n\r\n").encode()

    def close(self) -> None:
        """Drop the connection; the next request opens another."""
        if self._streams is not None:
            self._streams[1].close()
        self._streams = None


async def _head(reader: asyncio.StreamReader) -> tuple[int, dict[str, str]]:
    rows = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    told = {}
    for row in rows[1:]:
        name, _, value = row.partition(":")
        told[name.lower()] = value.strip()
    return int(rows[0].split()[1]), told


async def _content(reader: asyncio.StreamReader, told: dict[str, str]) -> bytes:
    if told.get("transfer-encoding") == "chunked":
        pieces = []
        while size := int((await reader.readline()).split(b";")[0], 16):
            pieces.append(await reader.readexactly(size))
            await reader.readexactly(2)
        await reader.readexactly(2)
        return b"".join(pieces)
    return await reader.readexactly(int(told.get("content-length", "0")))
