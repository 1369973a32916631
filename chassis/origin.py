"""The client's address, handed from the edge through gateway and pages to the services behind them.

A caller could state any address, so it is handed on with a proof that only processes of the platform can make: a MAC by the secret
`address-key` over the address and the call's request id. What has no proof is not believed.
"""

from __future__ import annotations

import hmac
from functools import cache
from pathlib import Path

from chassis.settings import text

HEADER = "x-tongban-address"
SECRET = "address-key"  # noqa: S105 - the name of a file
_LONGEST = 64


@cache
def own_key() -> str:
    """This process's copy of the key; '' where there is none."""
    path = Path(text("SECRETS", "/nonexistent")) / SECRET
    return path.read_text().strip() if path.is_file() else ""


def stated(address: str, request_id: str, key: str) -> str:
    """The header's value for a call with this request id."""
    return f"{address};{_mac(address, request_id, key)}"


def proven(header: str, request_id: str, key: str) -> str:
    """The address that the header states, '' when the proof is wrong or no key is known."""
    address, _, mac = header.rpartition(";")
    if not key or not address or len(address) > _LONGEST:
        return ""
    return address if hmac.compare_digest(mac.encode(), _mac(address, request_id, key).encode()) else ""


def _mac(address: str, request_id: str, key: str) -> str:
    return hmac.digest(key.encode(), f"{address}|{request_id}".encode(), "sha256").hex()[:32]
