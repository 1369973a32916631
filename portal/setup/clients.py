"""The realm's clients, as data.

The gateway, one service account per service and, for demonstrations, one with direct grants.
"""

from __future__ import annotations

from typing import Any

from portal.setup.realm import SCOPE

SERVICES = ("documents", "meetings", "tasks", "knowledge", "portal")
# partialImport asks for manage-realm; there is no other way to bring in hundreds of people with hashed
# passwords in seconds.
PORTAL_RIGHTS = (
    "manage-realm",
    "view-realm",
    "manage-users",
    "view-users",
    "query-users",
    "query-groups",
    "manage-clients",
    "view-clients",
    "view-events",
)


def gateway(secret: str, public_url: str, gateway_url: str) -> dict[str, Any]:
    """The one client with browser sessions: code flow with PKCE, exact redirects, back-channel logout."""
    return _client(
        "gateway",
        "同办",
        secret,
        ["basic", "acr", "profile", SCOPE],
        standardFlowEnabled=True,
        redirectUris=[f"{public_url}/auth/callback"],
        baseUrl=f"{public_url}/",
        attributes={
            "pkce.code.challenge.method": "S256",
            "post.logout.redirect.uris": f"{public_url}/signed-out",
            "backchannel.logout.url": f"{gateway_url}/auth/backchannel-logout",
            "backchannel.logout.session.required": "true",
            "backchannel.logout.revoke.offline.tokens": "true",
            "use.refresh.tokens": "true",
        },
    )


def service(unit: str, secret: str) -> dict[str, Any]:
    """A service's own account.

    Services know it by `azp` svc-<unit> and username service-account-svc-<unit>.
    """
    # Keycloak's administration looks at the client's full scope; only the portal has administration rights
    # to use.
    return _client(
        f"svc-{unit}",
        f"同办服务 {unit}",
        secret,
        ["basic", "profile", "service_account", SCOPE],
        serviceAccountsEnabled=True,
        fullScopeAllowed=unit == "portal",
    )


def demo(secret: str) -> dict[str, Any]:
    """Direct grants for the demonstration's loader and for tests; exists only where TONGBAN_DEMO=1."""
    return _client(
        "tongban-demo",
        "同办演示数据装载",
        secret,
        ["basic", "profile", SCOPE],
        directAccessGrantsEnabled=True,
    )


def _client(name: str, label: str, secret: str, scopes: list[str], **more: Any) -> dict[str, Any]:
    off: dict[str, Any] = {
        "standardFlowEnabled": False,
        "implicitFlowEnabled": False,
        "directAccessGrantsEnabled": False,
        "serviceAccountsEnabled": False,
        "fullScopeAllowed": False,
        "redirectUris": [],
        "webOrigins": [],
        "attributes": {},
    }
    return {
        "clientId": name,
        "name": label,
        "enabled": True,
        "protocol": "openid-connect",
        "publicClient": False,
        "clientAuthenticatorType": "client-secret",
        "secret": secret,
        "frontchannelLogout": False,
        "defaultClientScopes": scopes,
        "optionalClientScopes": [],
        **off,
        **more,
    }
