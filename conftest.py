"""Fixtures for every test folder: the real engines, started once when a test first asks for them."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest


@pytest.fixture(scope="session")
def engines() -> Iterator[dict[str, str]]:
    """Addresses of the database ("mongo") and the broker ("nats")."""
    yield {"mongo": os.environ["TONGBAN_TEST_MONGO"], "nats": os.environ["TONGBAN_TEST_NATS"]}
