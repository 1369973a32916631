"""python -m deploy.samples.oldsite: listens on TONGBAN_HTTP (host:port) or TONGBAN_PORT.

Accounts live in TONGBAN_VAR/oldsite.
"""

from __future__ import annotations

import os
from pathlib import Path

from deploy.samples.listening import serve
from deploy.samples.oldsite.accounts import Accounts
from deploy.samples.oldsite.site import create_site


def _accounts() -> Accounts:
    folder = Path(os.environ.get("TONGBAN_VAR", "/tmp")) / "oldsite"  # noqa: S108 - only when nothing is set
    folder.mkdir(parents=True, exist_ok=True)
    return Accounts(str(folder / "users.db"))


if __name__ == "__main__":
    serve(create_site(_accounts()))
