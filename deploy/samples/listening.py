"""How the sample sites listen.

They stand for foreign systems and use nothing of the platform but its two settings.
"""

from __future__ import annotations

import os
import signal
import sys
from types import FrameType
from typing import Any

from werkzeug.serving import make_server


def serve(site: Any) -> None:
    """Serves a WSGI program on TONGBAN_HTTP (host:port) or, on the loopback, TONGBAN_PORT, until a signal."""
    host, _, port = os.environ.get("TONGBAN_HTTP", "").rpartition(":")
    server = make_server(host or "127.0.0.1", int(port or os.environ["TONGBAN_PORT"]), site, threaded=True)

    def stop(_signal: int, _frame: FrameType | None) -> None:
        sys.exit(0)

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    server.serve_forever()
