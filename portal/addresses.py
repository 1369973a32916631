"""Where other units' HTTP servers are, out of TONGBAN_HTTP_<UNIT>."""

from __future__ import annotations

from chassis.settings import SettingMissing, text


def http_url(unit: str) -> str:
    """The base address of `unit`'s HTTP server without a trailing slash.

    The setting may be host:port or a whole URL.

    Raises SettingMissing.
    """
    name = f"HTTP_{unit.upper()}"
    address = text(name).rstrip("/")
    if not address:
        raise SettingMissing(f"The setting TONGBAN_{name} is missing.")
    return address if "://" in address else f"http://{address}"
