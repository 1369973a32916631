"""Where installed tools live: one folder for all clones of this user, keyed by version.

A tool's folder is trusted when it holds the stamp, which is written last. A change of version is a change of
folder, so two clones with different pins live side by side.
"""

import contextlib
import fcntl
import hashlib
import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from deploy.local import versions
from deploy.local.say import line

ROOT = Path(__file__).resolve().parents[2]
STAMP = ".complete"


def cache_dir() -> Path:
    """The cache: TONGBAN_CACHE, or ~/.cache/tongban."""
    return Path(os.environ.get("TONGBAN_CACHE") or Path.home() / ".cache" / "tongban").absolute()


def digest(*parts: bytes | str) -> str:
    """A short name for some content, for use in a folder's name."""
    sha = hashlib.sha256()
    for part in parts:
        data = part.encode() if isinstance(part, str) else part
        sha.update(len(data).to_bytes(8, "big") + data)
    return sha.hexdigest()[:12]


@dataclass(frozen=True)
class Tools:
    """Where each installed thing is. The paths are fixed by the versions, whether installed yet or not."""

    base: Path
    root: Path = ROOT

    @property
    def uv(self) -> Path:
        return self.base / "uv" / versions.UV

    @property
    def environment(self) -> Path:
        """The Python environment, keyed by what uv.lock asks for, so that another clone reuses it; its bytecode is baked in."""
        lock = (self.root / "uv.lock").read_bytes()
        return self.base / "python" / digest(lock, versions.PYTHON, "bytecode")

    @property
    def python(self) -> Path:
        return self.environment / "bin" / "python"

    @property
    def nats(self) -> Path:
        return self.base / "nats-server" / versions.NATS

    @property
    def nats_server(self) -> Path:
        return self.nats / "nats-server"

    @property
    def toxiproxy(self) -> Path:
        return self.base / "toxiproxy" / versions.TOXIPROXY

    @property
    def toxiproxy_server(self) -> Path:
        return self.toxiproxy / "server"

    @property
    def keycloak(self) -> Path:
        """Keycloak, built: its build options are part of the key, because they are baked in."""
        return self.base / "keycloak" / f"{versions.KEYCLOAK}-{digest(*versions.KEYCLOAK_BUILD)}"

    @property
    def mongo(self) -> Path:
        """The embedded database: its jars and our compiled launcher."""
        return self.base / "mongo" / f"{versions.MONGO}-{digest(self.mongo_source.read_bytes())}"

    @property
    def mongo_source(self) -> Path:
        return self.root / "deploy" / "local" / "MongoLauncher.java"

    @property
    def mongo_classpath(self) -> str:
        return f"{self.mongo}/classes:{self.mongo}/lib/*"

    @property
    def fonts(self) -> Path:
        return self.base / "fonts" / versions.FONTS

    @property
    def vendor(self) -> Path:
        """Browser assets from npm, laid out as `<package>/…`."""
        return self.base / "vendor" / digest(*sorted(versions.NPM))


def tools() -> Tools:
    """The tools of this clone in this user's cache."""
    return Tools(cache_dir())


def complete(folder: Path) -> bool:
    return (folder / STAMP).exists()


@contextlib.contextmanager
def filling(folder: Path) -> Iterator[Path]:
    """Give an empty folder to fill; it counts as installed only when the block ends without an error."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    yield folder
    (folder / STAMP).touch()


@contextlib.contextmanager
def only_one_installer(base: Path) -> Iterator[None]:
    """Hold the cache's lock; a second installer of the same user waits, and then finds everything done."""
    base.mkdir(parents=True, exist_ok=True)
    with (base / "install.lock").open("w") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            line("Another installation into the same cache is under way; waiting for it to end.")
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield
