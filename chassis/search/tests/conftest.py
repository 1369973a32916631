"""Fixtures for the tests of search: an empty index, the real regulations, other processes."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from chassis.search import Index
from chassis.search.bench import regulations
from chassis.search.tests.helpers import SCHEMA, entry

ROOT = Path(__file__).parents[3]


@pytest.fixture
def index(tmp_path: Path) -> Index:
    """Give an empty index."""
    made = Index(tmp_path / "index", SCHEMA)
    made.rebuild(())
    return made


@pytest.fixture(scope="session")
def laws() -> dict[str, str]:
    """Give the regulations, name → text."""
    folder = regulations()
    if folder is None:
        pytest.skip(
            "the regulations are not here: set TONGBAN_REGULATIONS to the folder with their .md files"
        )
    return {path.stem: path.read_text() for path in sorted(folder.glob("*.md"))}


@pytest.fixture(scope="session")
def law_index(laws: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Index:
    """Give an index of the regulations, id = name."""
    made = Index(tmp_path_factory.mktemp("laws"), SCHEMA)
    made.rebuild(entry(name, name, body, date=number) for number, (name, body) in enumerate(laws.items()))
    return made


@pytest.fixture
def script() -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Give a function that starts a Python process from source and arguments; all are ended afterwards."""
    started: list[subprocess.Popen[str]] = []

    def start(source: str, *arguments: object) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-c", source, *map(str, arguments)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=os.environ | {"PYTHONPATH": str(ROOT)},
        )
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()
