"""What services that run inside of a test's or the bench's own process are told, as a deployment's processes are."""

from __future__ import annotations

import os
from pathlib import Path

from deploy.local import units
from deploy.local.cache import tools

ROOT = Path(__file__).parents[1]


def prepare() -> None:
    """Put it into this process's environment, where it is not said otherwise."""
    # Where `make install` has put the fonts of printed documents.
    os.environ.setdefault("TONGBAN_FONTS", str(tools().fonts))
    os.environ.setdefault("TONGBAN_UNITS", units.described(units.load(ROOT)))
    # The platform's processes have certificates; inside of one process everything is in clear.
    os.environ.setdefault("TONGBAN_CERTIFICATES", "plain")
