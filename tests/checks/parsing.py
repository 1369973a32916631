"""Every parser of strangers' files, each case in a process of its own that is measured: `python -m tests.checks.parsing FOLDER`.

FOLDER/cases.json holds [[name, parser, file], …]; the answers go to standard output, as JSON: name → {outcome, seconds, grown}.
"""

from __future__ import annotations

import io
import json
import os
import resource
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Case:
    """One hostile file for one parser."""

    name: str
    parser: str
    data: bytes


@dataclass(frozen=True)
class Outcome:
    """outcome: a refusal's reason, "accepted", or what went wrong; seconds of processor time; grown: bytes of memory."""

    outcome: str
    seconds: float
    grown: int


def _upload(data: bytes) -> None:
    from chassis.uploads import received

    with received([data]) as file:
        for _ in file.pieces():
            pass


def parsers() -> dict[str, Callable[[bytes], Any]]:
    """Name → the function of the platform that takes a stranger's bytes."""
    from gateway import strict_json
    from services.documents import bodies
    from services.documents.printing import code, picture, scan
    from services.knowledge import extract

    found: dict[str, Callable[[bytes], Any]] = {
        "upload": _upload,
        "body.docx": lambda data: bodies.text_of_file("a.docx", data),
        "body.md": lambda data: bodies.text_of_file("a.md", data),
        "body.txt": lambda data: bodies.text_of_file("a.txt", data),
        "scan.image": lambda data: scan.find_in_image(data, seconds=1),
        "seal": picture.wrapped,
        "code": code.decode_payload,
        "json": strict_json.loads,
    }
    for kind in extract.KINDS:
        found[f"knowledge.{kind}"] = lambda data, kind=kind: extract.extract(kind, data)
    return found


def refusals() -> tuple[type[Exception], ...]:
    """What a parser may raise: typed, with a sentence."""
    from chassis.errors import TongbanError
    from services.documents.printing.errors import PrintingError

    return (TongbanError, PrintingError)


def measured(cases: Iterable[Case], timeout: float = 100) -> dict[str, Outcome]:
    """The outcome of each case."""
    with tempfile.TemporaryDirectory() as folder:
        told = []
        for number, case in enumerate(cases):
            path = Path(folder) / str(number)
            path.write_bytes(case.data)
            told.append([case.name, case.parser, str(path)])
        (Path(folder) / "cases.json").write_text(json.dumps(told))
        done = subprocess.run(
            [sys.executable, "-m", "tests.checks.parsing", folder], cwd=ROOT, check=True, capture_output=True, timeout=timeout,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)},
        )  # fmt: skip
        return {name: Outcome(**found) for name, found in json.loads(done.stdout).items()}


def _one(parse: Callable[[bytes], Any], path: str, known: tuple[type[Exception], ...]) -> dict[str, Any]:
    """Run one case in a child of this process, so that its memory begins where everything is imported."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        outcome = "accepted"
        try:
            data = Path(path).read_bytes()
            before = _highest()
            try:
                parse(data)
            except known as refusal:
                outcome = getattr(refusal, "reason", "refused")
                if not getattr(refusal, "zh", ""):
                    outcome = f"no sentence: {outcome}"
            except BaseException as problem:  # noqa: BLE001 - whatever it is, it is what the case shows
                outcome = f"crashed: {problem!r}"
            os.write(writing, json.dumps([outcome, _highest() - before]).encode())
        finally:
            os._exit(0)
    os.close(writing)
    with io.FileIO(reading) as pipe:
        said = pipe.readall()
    _, status, used = os.wait4(child, 0)
    outcome, grown = json.loads(said) if said else (f"killed by {status}", 0)
    return {"outcome": outcome, "seconds": used.ru_utime + used.ru_stime, "grown": grown}


def _highest() -> int:
    """The most memory that this process has had since it was last asked."""
    status = Path("/proc/self/status").read_text()
    highest = int(status.partition("VmHWM:")[2].split()[0]) << 10
    Path("/proc/self/clear_refs").write_text("5")
    return highest


def main(folder: Path) -> None:
    """The program."""
    resource.setrlimit(resource.RLIMIT_AS, (4 << 30, 4 << 30))
    known, functions = refusals(), parsers()
    for warm in ("body.docx", "knowledge.docx", "knowledge.pdf", "knowledge.html", "scan.image"):
        # Parsers are imported at first use; that is no file's fault.
        try:
            functions[warm](b"%PDF-1.4 PK" if "html" not in warm else b"<p>a</p>")
        except known:
            continue
    found = {}
    for name, parser, path in json.loads((folder / "cases.json").read_text()):
        found[name] = _one(functions[parser], path, known)
    print(json.dumps(found))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
