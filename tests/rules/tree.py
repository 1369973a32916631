"""What the rules are about: the source tree, its units, and what every module imports."""

from __future__ import annotations

import ast
import importlib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import ModuleType

import tongban

ROOT = Path(__file__).resolve().parents[2]
SOURCES = ("chassis", "services", "gateway", "portal", "deploy", "tests")
_NOT_OURS = {"build", "var", "node_modules", "__pycache__", ".git", ".venv"}


def files(*folders: str) -> list[Path]:
    """Every file of the project below these folders (the whole clone without any), as `git` would hold it."""
    starts = [ROOT / folder for folder in folders] or [ROOT]
    found = []
    for start in starts:
        found += [
            path
            for path in start.rglob("*")
            if path.is_file()
            and not (_NOT_OURS | {part for part in path.parts if part.endswith("_cache")}) & set(path.parts)
        ]
    return sorted(path for path in found if ".hypothesis" not in path.parts)


def short(path: Path) -> str:
    """The path as people say it."""
    return path.relative_to(ROOT).as_posix()


def is_test(path: Path) -> bool:
    """Whether it belongs to the tests."""
    return "tests" in path.relative_to(ROOT).parts or path.name == "conftest.py"


def length(path: Path) -> int:
    """Its lines that say something: blank ones and lone brackets are the formatter's business."""
    return sum(bool(line.strip(" ()[]{},:")) for line in path.read_text().splitlines())


def services() -> list[str]:
    """The services whose code is there."""
    return sorted(path.parent.name for path in (ROOT / "services").glob("*/__main__.py"))


@dataclass(frozen=True)
class Module:
    """One module of the product (no test) and the names that it imports."""

    path: Path
    imports: frozenset[str]

    @property
    def name(self) -> str:
        """Its dotted name."""
        parts = self.path.relative_to(ROOT).with_suffix("").parts
        return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


@cache
def modules() -> tuple[Module, ...]:
    """Every module of the product."""
    found = files(*SOURCES)
    return tuple(Module(path, imports(path)) for path in found if path.suffix == ".py" and not is_test(path))


def imports(path: Path) -> frozenset[str]:
    """Every module that a file imports, wherever in it: `from a import b` counts as `a` and `a.b`."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return frozenset(found)


def below(name: str, *packages: str) -> bool:
    """Whether a dotted name is one of these packages or lies in one."""
    return any(name == package or name.startswith(f"{package}.") for package in packages)


@cache
def protos() -> tuple[ModuleType, ...]:
    """The generated message modules of our API (events have no methods)."""
    return tuple(importlib.import_module(name) for name in _generated("_pb2"))


def stubs(unit: str) -> list[ModuleType]:
    """The generated gRPC modules of one unit."""
    return [importlib.import_module(name) for name in _generated("_pb2_grpc") if name.split(".")[1] == unit]


def _generated(suffix: str) -> Iterator[str]:
    for root in map(Path, dict.fromkeys(tongban.__path__)):
        for path in sorted(root.rglob(f"*{suffix}.py")):
            yield ".".join(("tongban", *path.relative_to(root).with_suffix("").parts))


@cache
def rpcs() -> dict[str, list]:
    """Unit → descriptors of all its RPCs."""
    found: dict[str, list] = {}
    for proto in protos():
        for service in proto.DESCRIPTOR.services_by_name.values():
            found.setdefault(service.file.package.split(".")[1], []).extend(service.methods)
    return found


def built() -> list[str]:
    """The units with RPCs whose code is there."""
    return [unit for unit in sorted(rpcs()) if unit == "portal" or unit in services()]


def who(unit: str) -> dict[str, frozenset[str]]:
    """The unit's table of who may call what."""
    module = "portal.rpc" if unit == "portal" else f"services.{unit}.rpc"
    return dict(importlib.import_module(module).WHO)
