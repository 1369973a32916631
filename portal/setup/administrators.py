"""The first three administrators, so that somebody can enter an empty platform.

Made only for a role that nobody holds. The password goes into TONGBAN_SECRETS/initial-<username> and must be
changed at the first sign-in; on a demonstration it is the demonstration's password and stays.
"""

from __future__ import annotations

import secrets
from pathlib import Path
from typing import Any

from keycloak import KeycloakAdmin

from chassis.durable import ensure_secret
from chassis.words import REALM_ROLES

FIRST = {"system_administrator": "sysadmin", "security_administrator": "secadmin", "auditor": "auditor"}


def apply_administrators(admin: KeycloakAdmin, folder: Path, demo_password: str) -> list[str]:
    """Creates the missing first administrators; returns their usernames."""
    made = []
    for role, username in FIRST.items():
        if admin.get_realm_role_members(role, {"max": 1}):
            continue
        password = demo_password or ensure_secret(folder, f"initial-{username}", _initial_password())
        person = admin.get_user_id(username) or admin.create_user(_account(username, REALM_ROLES[role]))
        admin.set_user_password(person, password, temporary=not demo_password)
        admin.assign_realm_roles(person, [admin.get_realm_role(role)])
        made.append(username)
    return made


def _account(username: str, name: str) -> dict[str, Any]:
    return {"username": username, "firstName": name, "enabled": True, "attributes": {"title": [name]}}


def _initial_password() -> str:
    """Random, and of all the classes which the password policy asks for."""
    return f"Aa1!{secrets.token_urlsafe(18)}"
