"""Fixtures for every test folder: the real engines and the whole platform, each started once when a test first asks for it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from deploy.local.stack import Stack
from tests import environment

ROOT = Path(__file__).parent
VAR = ROOT / "var" / "test"
DOCUMENTS = 6  # demonstration documents: enough for lists that are not empty, few enough to be quick

environment.prepare()
# How long an example takes says more about the machine's other work than about the code.
settings.register_profile("tongban", deadline=None)
settings.load_profile("tongban")


def pytest_addoption(parser: pytest.Parser) -> None:
    """--only: the half of the suite that is wanted."""
    parser.addoption("--only", choices=["unit", "engines"], help="tests that need no engine, or the others")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Take the other half out."""
    only = config.getoption("only")
    if only is None:
        return
    halves: dict[str, list[pytest.Item]] = {"unit": [], "engines": []}
    for item in items:
        halves["engines" if _needs_engines(item) else "unit"].append(item)
    items[:] = halves.pop(only)
    config.hook.pytest_deselected(items=[one for half in halves.values() for one in half])


def _needs_engines(item: pytest.Item) -> bool:
    marked = any(item.get_closest_marker(name) for name in ("integration", "e2e"))
    return marked or bool({"integration", "e2e"} & set(item.path.parts))


@pytest.fixture(scope="session")
def engines() -> Iterator[dict[str, str]]:
    """Addresses of a database ("mongo") and a broker ("nats") without the platform, for a service inside the test."""
    given = os.environ.get("TONGBAN_TEST_MONGO"), os.environ.get("TONGBAN_TEST_NATS")
    if all(given):
        secrets = os.environ.get("TONGBAN_TEST_SECRETS", "/nonexistent")
        yield {"mongo": str(given[0]), "nats": str(given[1]), "secrets": secrets}
        return
    with Stack(VAR / "engines", engines=("mongo", "nats"), applications=False) as stack:
        found = {"mongo": stack.env["TONGBAN_MONGO_URI"], "nats": stack.env["TONGBAN_NATS_URL"]}
        os.environ.update(TONGBAN_TEST_MONGO=found["mongo"], TONGBAN_TEST_NATS=found["nats"])
        # With the password of the one user who may make and read the audit's stream.
        os.environ["TONGBAN_TEST_SECRETS"] = found["secrets"] = stack.env["TONGBAN_SECRETS"]
        yield found


@pytest.fixture(scope="session")
def platform_env(request: pytest.FixtureRequest) -> dict[str, str]:
    """The environment of `stack`; or of a platform that runs already, when TONGBAN_E2E_VAR names its folder."""
    running = os.environ.get("TONGBAN_E2E_VAR")
    if running:
        return dict(json.loads((Path(running) / "state.json").read_text())["env"])
    return dict(request.getfixturevalue("stack").env)


@pytest.fixture(scope="session")
def stack() -> Iterator[Stack]:
    """The whole platform with a small district in it, on ports of its own.

    `stack.env` is its environment; `stack.kill(name)` and `stack.restart(name)` act on its processes.
    """
    with Stack(VAR / "stack", seconds=480) as running:
        if (VAR / "stack" / "demo-logins.txt").exists():
            # Kept from an earlier run: the district is there already.
            yield running
            return
        env = {
            **os.environ,
            **running.env,
            "TONGBAN_SERVICE": "demo",
            "PYTHONPATH": f"{ROOT}:{ROOT / 'build/gen'}",
        }
        command = [
            sys.executable,
            "-m",
            "deploy.demo",
            "--size",
            "small",
            "--documents",
            str(DOCUMENTS),
            "--weeks",
            "1",
        ]
        subprocess.run(command, env=env, cwd=ROOT, check=True, timeout=300)
        yield running
