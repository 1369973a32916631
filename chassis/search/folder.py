"""The folder an index lives in: generations of which one is current, one writer's lock, checksums.

<path>/current         the name of the generation in use
<path>/generation-*/   one complete engine index and the digest of the schema it was built for
<path>/writer.lock     locked while a process writes; the kernel frees it whenever that process ends
<path>/cursor.key      what cursors are signed with
"""

import contextlib
import fcntl
import json
import os
import secrets
import shutil
import uuid
import zlib
from collections.abc import Iterator
from pathlib import Path

from chassis.durable import replace_file
from chassis.search.errors import IndexBroken, RebuildNeeded, SearchError, WriterBusy

_FOOTER_MAGIC = 1337
_READ_SIZE = 1 << 20
_PARTS = ("idx", "pos", "term", "store", "fast", "fieldnorm")


@contextlib.contextmanager
def engine_errors() -> Iterator[None]:
    """Turn whatever the engine raises into `IndexBroken`; wrap only calls with arguments checked before.

    The engine is Rust: besides exceptions it may panic, and a panic does not derive from `Exception`.
    """
    try:
        yield
    except SearchError:
        raise
    except (ValueError, OSError, RuntimeError) as error:
        raise IndexBroken(f"{type(error).__name__}: {error}") from error
    except BaseException as error:
        if type(error).__name__ != "PanicException":
            raise
        raise IndexBroken(f"the engine panicked: {error}") from error


class Folder:
    """Access to the files of one index."""

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        self._current = self.path / "current"

    def current(self) -> Path:
        """Give the generation in use. Raises `RebuildNeeded` when there is none."""
        try:
            name = self._current.read_text()
        except FileNotFoundError as error:
            raise RebuildNeeded(f"no index in {self.path}") from error
        except (OSError, UnicodeDecodeError) as error:
            raise IndexBroken(f"{self._current}: {error}") from error
        generation = self.path / name
        if not name.startswith("generation-") or generation.parent != self.path or not generation.is_dir():
            raise IndexBroken(f"{self._current} names {name!r:.100}, which is not there")
        return generation

    def stamp(self, generation: Path) -> tuple[int, ...]:
        """Give numbers that change with every commit, for the price of one system call."""
        try:
            found = (generation / "meta.json").stat()
        except OSError as error:
            raise IndexBroken(str(error)) from error
        return found.st_ino, found.st_mtime_ns, found.st_size

    def require(self, generation: Path, digest: str) -> None:
        """Raise `RebuildNeeded` unless the generation was built for the schema with this digest."""
        try:
            built_for = (generation / "schema.digest").read_text()
        except (OSError, UnicodeDecodeError) as error:
            raise IndexBroken(f"{generation}: {error}") from error
        if built_for != digest:
            raise RebuildNeeded(f"{generation} was built for schema {built_for:.12}, not {digest:.12}")

    def verify(self, generation: Path) -> None:
        """Compare every file of the last commit with its checksum; raise `IndexBroken` if one differs.

        May run beside a writer: files never change, but a commit may replace them, and then the newer ones
        are read.
        """
        while True:
            stamp = self.stamp(generation)
            with engine_errors():
                damaged = [file for file in _files(generation) if not _intact(file)]
            if not damaged:
                return
            if self.stamp(generation) == stamp:
                raise IndexBroken(f"{damaged[0]} is missing or does not match its checksum")

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Be the only writer, or raise `WriterBusy` at once."""
        self.path.mkdir(parents=True, exist_ok=True)
        with (self.path / "writer.lock").open("a") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise WriterBusy(f"{self.path} is being written to by another writer") from error
            yield

    def begin(self, digest: str) -> Path:
        """Make a new generation's folder, for the holder of the lock; remove those of failed attempts."""
        self.discard_others()
        generation = self.path / f"generation-{uuid.uuid4().hex}"
        generation.mkdir()
        (generation / "schema.digest").write_text(digest)
        return generation

    def publish(self, generation: Path) -> None:
        """Make a complete generation the current one, atomically and durably, and remove the others.

        Readers that have an older generation open keep its files until they look again.
        """
        replace_file(self._current, generation.name.encode())
        self.discard_others()

    def discard_others(self) -> None:
        """Remove every generation except the current one."""
        current = self._current.read_text(errors="replace") if self._current.exists() else ""
        for generation in self.path.glob("generation-*"):
            if generation.name != current:
                shutil.rmtree(generation)

    def cursor_key(self) -> bytes:
        """Give the key that signs cursors, made once per index and kept through rebuilds."""
        path = self.path / "cursor.key"
        if not path.exists():
            draft = self.path / f"cursor.key.{uuid.uuid4().hex}"
            draft.touch(0o600)
            draft.write_bytes(secrets.token_bytes(32))
            # Linking fails if another process was first, and then that one's key holds.
            with contextlib.suppress(FileExistsError):
                os.link(draft, path)
            draft.unlink()
        return path.read_bytes()


def _files(generation: Path) -> Iterator[Path]:
    """Give the files that the last commit consists of."""
    for segment in json.loads((generation / "meta.json").read_text())["segments"]:
        name = segment["segment_id"].replace("-", "")
        deletes = [f"{segment['deletes']['opstamp']}.del"] if segment["deletes"] else []
        for kind in (*_PARTS, *deletes):
            yield generation / f"{name}.{kind}"


def _intact(file: Path) -> bool:
    """Tell whether a file is there and matches its footer: {"crc": …}, that JSON's length, a magic number."""
    if not file.is_file():
        return False
    size = file.stat().st_size
    with file.open("rb") as stream:
        stream.seek(max(0, size - 8))
        tail = stream.read(8)
        length = int.from_bytes(tail[:4], "little")
        if len(tail) < 8 or int.from_bytes(tail[4:], "little") != _FOOTER_MAGIC or length > size - 8:
            return False
        stream.seek(size - 8 - length)
        try:
            expected = json.loads(stream.read(length))["crc"]
        except (ValueError, KeyError, TypeError):
            return False
        stream.seek(0)
        left = size - 8 - length
        checksum = 0
        while left > 0:
            part = stream.read(min(_READ_SIZE, left))
            checksum = zlib.crc32(part, checksum)
            left -= len(part)
    return bool(checksum == expected)
