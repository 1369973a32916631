"""How the portal reaches Keycloak's administration.

Setting up the realm needs the bootstrap administrator of the realm `master`. Everything afterwards is done
by the portal's own service account, which may manage people and groups of its realm and nothing in any
other.
"""

from __future__ import annotations

from typing import Any

from keycloak import KeycloakAdmin, KeycloakOpenIDConnection
from keycloak.exceptions import KeycloakError

from chassis import log
from chassis.errors import Unavailable
from chassis.identity import away
from chassis.settings import Settings, text

SECONDS = 60  # A partial import of 100 people on a small machine takes some seconds.
_log = log.get(__name__)


def bootstrap_admin(settings: Settings) -> KeycloakAdmin:
    """The administrator of the realm `master`, looking at our realm. Only for `python -m portal setup`."""
    connection = KeycloakOpenIDConnection(
        server_url=f"{settings.keycloak_url}/",
        username=text("KEYCLOAK_ADMIN", "admin"),
        password=settings.secret("keycloak-admin-password"),
        realm_name=settings.realm,
        user_realm_name="master",
        client_id="admin-cli",
        timeout=SECONDS,
    )
    return KeycloakAdmin(connection=connection)


def portal_admin(settings: Settings) -> KeycloakAdmin:
    """The portal's service account as administrator of people and groups."""
    connection = KeycloakOpenIDConnection(
        server_url=f"{settings.keycloak_url}/",
        realm_name=settings.realm,
        user_realm_name=settings.realm,
        client_id="svc-portal",
        client_secret_key=settings.secret("svc-portal"),
        timeout=SECONDS,
    )
    return KeycloakAdmin(connection=connection)


def realm_call(admin: KeycloakAdmin, method: str, path: str, **options: Any) -> Any:
    """One call below /admin/realms/<realm>/ for which python-keycloak has no (paged) method.

    Returns the decoded answer.

    Raises Unavailable when Keycloak refuses it or does not answer.
    """
    connection = admin.connection
    url = f"admin/realms/{connection.realm_name}/{path}"
    try:
        reply = getattr(connection, f"raw_{method}")(url, **options)
    except KeycloakError as problem:
        _log.warning("identity provider away", call=f"{method} {path}", problem=str(problem)[:300])
        raise away() from problem
    if reply.status_code >= 400:
        _log.warning(
            "refused by the identity provider",
            call=f"{method} {path}",
            status=reply.status_code,
            answer=reply.text[:300],
        )
        raise Unavailable(
            "IDENTITY_REFUSED",
            "统一身份认证未接受本次修改，请联系管理员。",
            "The identity provider did not accept this.",
        )
    return reply.json() if reply.content else None
