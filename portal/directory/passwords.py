"""Passwords hashed here, so that hundreds of new people do not cost Keycloak a hash each.

The parameters are Keycloak 26's own defaults for argon2; it verifies such a credential like one it made
itself.
"""

from __future__ import annotations

import base64
import json
import os
import time
from typing import Any

from cryptography.hazmat.primitives.kdf.argon2 import Argon2id

_ITERATIONS, _MEMORY, _LANES, _LENGTH = 5, 7168, 1, 32


def credential(password: str) -> dict[str, Any]:
    """A Keycloak credential for `password`."""
    salt = os.urandom(16)
    kdf = Argon2id(salt=salt, length=_LENGTH, iterations=_ITERATIONS, lanes=_LANES, memory_cost=_MEMORY)
    secret = {"value": _text(kdf.derive(password.encode())), "salt": _text(salt), "additionalParameters": {}}
    parameters = {
        "hashLength": [str(_LENGTH)],
        "memory": [str(_MEMORY)],
        "type": ["id"],
        "version": ["1.3"],
        "parallelism": [str(_LANES)],
    }
    return {
        "type": "password",
        # Without a date the policy of 90 days would call the password expired from the start.
        "createdDate": int(time.time() * 1000),
        "secretData": json.dumps(secret),
        "credentialData": json.dumps(
            {"hashIterations": _ITERATIONS, "algorithm": "argon2", "additionalParameters": parameters}
        ),
    }


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode()
