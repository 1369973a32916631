import os

import pytest


@pytest.fixture(autouse=True)
def _no_settings_of_the_shell(monkeypatch):
    for name in [name for name in os.environ if name.startswith("TONGBAN_")]:
        monkeypatch.delenv(name)
