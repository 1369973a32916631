"""Where a browser may be sent: only to paths of our own.

Every redirect with a target from outside goes through here.
"""

from __future__ import annotations

import re
from urllib.parse import unquote

LONGEST = 2000
_PLAIN = re.compile(r"/[\x21-\x7e]*")


def safe_path(target: str | None, default: str = "/") -> str:
    r"""`target` when it is a path on this origin, else `default`.

    Browsers repair addresses (`\` becomes `/`, tabs and newlines vanish, `//host` keeps the scheme), so that
    what looks like a path may leave the origin. Refused is therefore everything but printable ASCII that
    starts with exactly one slash, at every level of percent-encoding that somebody on the way may take off.
    """
    if not target or len(target) > LONGEST or not _PLAIN.fullmatch(target):
        return default
    # Cut by hand: a parser of addresses would take "///host" for the path "/host".
    path = own = re.split(r"[?#]", target, maxsplit=1)[0]
    for _ in range(3):
        if "\\" in path or "//" in path or any(ord(character) < 0x20 for character in path):
            return default
        path = unquote(path)
    # A login that leads to the login again would go round for ever.
    return default if own.startswith(("/auth/", "/id/", "/.tongban/")) else target
