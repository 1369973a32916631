"""The client's stream taken apart: a header, then files one after another, in order and within limits."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from chassis.errors import InvalidInput, TooMuch


def _out_of_order() -> InvalidInput:
    return InvalidInput(
        "STREAM_ORDER", "上传的数据次序有误，请重新上传。", "Parts of the stream come in a wrong order."
    )


class Stream:
    """A stream of messages with `oneof part {header, file, chunk}`; without `file` where there is but one."""

    def __init__(self, messages: Iterable[Any]) -> None:
        self._messages = iter(messages)
        self._next: Any = next(self._messages, None)

    def header(self) -> Any:
        """The first message's header.

        Raises InvalidInput.
        """
        if self._part() != "header":
            raise _out_of_order()
        found = self._next.header
        self._step()
        return found

    def first_name(self) -> str:
        """The name of the first file, read ahead; '' when there is none."""
        return self._next.file.name if self._part() == "file" else ""

    def files(self) -> Iterator[tuple[str, Iterator[bytes]]]:
        """Each file's name and its pieces; the pieces must be used up before the next file is asked for."""
        while self._part() == "file":
            name = self._next.file.name
            self._step()
            yield name, self._chunks()
        if self._part():
            raise _out_of_order()

    def rest(self, limit: int) -> bytes:
        """All chunks in one piece.

        Raises TooMuch beyond `limit` bytes.
        """
        data = bytearray()
        for chunk in self._chunks():
            data += chunk
            if len(data) > limit:
                raise TooMuch(
                    "FILE_TOO_LARGE", f"文件超过 {limit >> 20} MB 的上限。", "The file is too large."
                )
        return bytes(data)

    def _chunks(self) -> Iterator[bytes]:
        while self._part() == "chunk":
            yield self._next.chunk
            self._step()

    def _part(self) -> str:
        return (self._next.WhichOneof("part") or "") if self._next is not None else ""

    def _step(self) -> None:
        self._next = next(self._messages, None)
