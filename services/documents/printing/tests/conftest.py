"""Fixtures of the tests of printing."""

from __future__ import annotations

from dataclasses import replace

import pypdfium2
import pytest

from services.documents.printing import fonts, layout
from services.documents.printing.errors import FontsError
from services.documents.printing.tests.measuring import SHEET, Measured


@pytest.fixture(scope="session")
def folder():
    """The fonts' folder; without it pages cannot be laid out (`make` sets TONGBAN_FONTS)."""
    try:
        path = fonts.default_folder()
    except FontsError as error:
        pytest.skip(error.zh)
    return path


@pytest.fixture(scope="session")
def printed(folder):
    """Renders SHEET with changes, and measures it."""

    def render(**changes):
        result = layout.render(replace(SHEET, **changes), folder)
        return Measured(result, pypdfium2.PdfDocument(result.pdf))

    return render
