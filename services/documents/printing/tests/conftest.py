"""Fixtures of the tests of printing."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pypdfium2
import pytest

from services.documents.printing import layout
from services.documents.printing.tests.measuring import SHEET, Measured


@pytest.fixture(scope="session")
def folder():
    """The fonts' folder; without it pages cannot be laid out (`make` sets TONGBAN_FONTS)."""
    if not (path := os.environ.get("TONGBAN_FONTS")):
        pytest.skip("TONGBAN_FONTS is not set")
    return Path(path)


@pytest.fixture(scope="session")
def printed(folder):
    """Renders SHEET with changes, and measures it."""

    def render(**changes):
        result = layout.render(replace(SHEET, **changes), folder)
        return Measured(result, pypdfium2.PdfDocument(result.pdf))

    return render
