"""Brings a realm to the state which setup.realm and setup.clients describe.

Every function may run any number of times.
"""

from __future__ import annotations

import json
from typing import Any

from keycloak import KeycloakAdmin
from keycloak.exceptions import KeycloakGetError

from portal.keycloak import realm_call
from portal.setup.realm import ROLES


def apply_realm(admin: KeycloakAdmin, wanted: dict[str, Any]) -> bool:
    """Creates or updates the realm; True when it was created."""
    name = wanted["realm"]
    try:
        admin.get_realm(name)
    except KeycloakGetError as problem:
        if problem.response_code != 404:
            raise
        admin.create_realm(wanted)
        # The token was issued before the realm existed and carries no right in it.
        admin.connection.get_token()
        return True
    admin.update_realm(name, wanted)
    return False


def apply_events(admin: KeycloakAdmin, more: tuple[str, ...]) -> None:
    """Keeps these kinds of events beside those that are kept already."""
    config = realm_call(admin, "get", "events/config")
    wanted = sorted({*config["enabledEventTypes"], *more})
    realm_call(admin, "put", "events/config", data=json.dumps({**config, "enabledEventTypes": wanted}))


def apply_roles(admin: KeycloakAdmin) -> None:
    """The three administrators' roles; nobody gets offline tokens by default."""
    known = {role["name"] for role in admin.get_realm_roles(brief_representation=True)}
    for name, description in ROLES.items():
        role = {"name": name, "description": description}
        if name in known:
            admin.update_realm_role(name, role)
        else:
            admin.create_realm_role(role)
    defaults = [role for role in admin.get_realm_default_roles() if role["name"] == "offline_access"]
    if defaults:
        admin.remove_realm_default_roles(defaults)


def apply_profile(admin: KeycloakAdmin, wanted: dict[str, Any]) -> None:
    """Declares people's attributes."""
    admin.update_realm_users_profile(wanted)


def apply_scope(admin: KeycloakAdmin, wanted: dict[str, Any]) -> None:
    """The client scope `tongban` with exactly the wanted mappers."""
    found = admin.get_client_scope_by_name(wanted["name"])
    if found is None:
        admin.create_client_scope(wanted)
        return
    scope = found["id"]
    plain = {key: value for key, value in wanted.items() if key != "protocolMappers"}
    admin.update_client_scope(scope, plain | {"id": scope})
    present = {mapper["name"]: mapper["id"] for mapper in admin.get_mappers_from_client_scope(scope)}
    for mapper in wanted["protocolMappers"]:
        identity = present.pop(mapper["name"], None)
        if identity is None:
            admin.add_mapper_to_client_scope(scope, mapper)
        else:
            admin.update_mapper_in_client_scope(scope, identity, mapper | {"id": identity})
    for identity in present.values():
        admin.delete_mapper_from_client_scope(scope, identity)


def apply_client(admin: KeycloakAdmin, wanted: dict[str, Any]) -> str:
    """Creates or updates one client with exactly its scopes; returns Keycloak's id of it."""
    client = admin.get_client_id(wanted["clientId"])
    if client is None:
        client = admin.create_client(wanted)
    else:
        admin.update_client(client, wanted)
        _apply_client_scopes(admin, client, wanted["defaultClientScopes"])
    if not wanted["fullScopeAllowed"]:
        # A token names the three administrators' roles and none of Keycloak's own.
        admin.assign_realm_roles_to_client_scope(client, [admin.get_realm_role(name) for name in ROLES])
    return str(client)


def _apply_client_scopes(admin: KeycloakAdmin, client: str, names: list[str]) -> None:
    """An update ignores the scopes in the representation, so they are compared one by one."""
    wanted = {scope["name"]: scope["id"] for scope in admin.get_client_scopes() if scope["name"] in names}
    present = {scope["name"]: scope["id"] for scope in admin.get_client_default_client_scopes(client)}
    for name, scope in wanted.items():
        if name not in present:
            admin.add_client_default_client_scope(client, scope, {})
    for name, scope in present.items():
        if name not in wanted:
            admin.delete_client_default_client_scope(client, scope)


def remove_client(admin: KeycloakAdmin, name: str) -> None:
    """Takes a client away that must not exist here."""
    client = admin.get_client_id(name)
    if client is not None:
        admin.delete_client(client)


def grant_management(admin: KeycloakAdmin, client: str, rights: tuple[str, ...]) -> None:
    """Gives the service account of `client` rights over this realm."""
    account = admin.get_client_service_account_user(client)["id"]
    management = str(admin.get_client_id("realm-management"))
    roles = [role for role in admin.get_client_roles(management) if role["name"] in rights]
    admin.assign_client_role(account, management, roles)
