"""`python3 -m deploy.local.gen`: compile proto/ into build/gen, when something changed.

The result is imported as `tongban.documents.v1.documents_pb2`, with build/gen on the import path; the folders
are namespace packages. build/image.binpb is the same definitions as one descriptor set, for lint.
"""

import fcntl
import shutil
import subprocess
from pathlib import Path

from deploy.local.cache import ROOT, complete, digest, tools
from deploy.local.say import Refusal, guarded, line

_STAMP = ".digest"


def generate(root: Path = ROOT) -> bool:
    """Bring build/gen up to date with proto/; whether there was something to do."""
    sources = sorted((root / "proto").rglob("*.proto"))
    out = root / "build" / "gen"
    if not sources:
        return False
    where = tools()
    if not complete(where.environment):
        raise Refusal("The Python environment is not installed yet; run: make install")
    parts = [str(source.relative_to(root)) for source in sources]
    wanted = digest(where.environment.name, *parts, *(source.read_bytes() for source in sources))
    if _is_current(out, wanted):
        return False
    (root / "build").mkdir(exist_ok=True)
    with (root / "build" / "gen.lock").open("w") as lock:
        # Two at once, say a test beside a run, would take the folder away from each other.
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not _is_current(out, wanted):
            _compile(root, sources, out, wanted, where.environment)
    return True


def bytecode(root: Path = ROOT) -> None:
    """Compile all Python of this clone, for processes which may not write beside it and would compile it at each start."""
    folders = [
        entry
        for name in ("chassis", "gateway", "portal", "services", "deploy", "build")
        if (entry := root / name).is_dir()
    ]
    command: list[str | Path] = [tools().python, "-m", "compileall", "-q", "-j", "0", *folders]
    # A file that does not compile is for the process that needs it to speak of.
    subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)


def _is_current(out: Path, wanted: str) -> bool:
    stamp = out / _STAMP
    return stamp.exists() and stamp.read_text() == wanted


def _compile(root: Path, sources: list[Path], out: Path, wanted: str, environment: Path) -> None:
    fresh = out.with_name("gen.new")
    shutil.rmtree(fresh, ignore_errors=True)
    fresh.mkdir()
    # googleapis-common-protos lays its .proto files beside its modules.
    common = next((environment / "lib").glob("python3.*")) / "site-packages"
    command: list[str | Path] = [
        environment / "bin" / "python",
        "-m",
        "grpc_tools.protoc",
        f"-I{root / 'proto'}",
        f"-I{common}",
        f"--python_out={fresh}",
        f"--pyi_out={fresh}",
        f"--grpc_python_out={fresh}",
        "--include_imports",
        "--include_source_info",
        f"--descriptor_set_out={root / 'build' / 'image.binpb'}",
        *sources,
    ]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    if ended.returncode:
        raise Refusal(f"protoc refused the definitions in proto/:\n{ended.stderr.strip()}")
    (fresh / _STAMP).write_text(wanted)
    old = out.with_name("gen.old")
    shutil.rmtree(old, ignore_errors=True)
    if out.exists():
        out.rename(old)
    fresh.rename(out)
    shutil.rmtree(old, ignore_errors=True)


def main() -> int:
    if generate():
        line("Compiled proto/ into build/gen.")
    return 0


if __name__ == "__main__":
    guarded(main)
