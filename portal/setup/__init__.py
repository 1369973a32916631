"""`python -m portal setup`: makes the realm of the platform, or brings it up to date.

May run at every start.
"""

from __future__ import annotations

from chassis import units
from chassis.durable import ensure_secret
from chassis.log import get
from chassis.settings import Settings, text
from portal.addresses import http_url
from portal.keycloak import bootstrap_admin
from portal.setup import apply, clients, realm
from portal.setup.administrators import apply_administrators

log = get(__name__)


def run(settings: Settings) -> None:
    """The whole set-up, in the order in which one thing needs the other."""
    folder = settings.secrets
    demo = text("DEMO") == "1"
    demo_password = ensure_secret(folder, "demo-password", "Tongban-2026!") if demo else ""
    admin = bootstrap_admin(settings)
    created = apply.apply_realm(admin, realm.realm(settings.realm))
    apply.apply_events(admin, realm.MORE_EVENTS)
    apply.apply_roles(admin)
    apply.apply_profile(admin, realm.user_profile())
    apply.apply_scope(admin, realm.token_scope())

    secret = ensure_secret(folder, "gateway-client-secret")
    apply.apply_client(admin, clients.gateway(secret, settings.public_url, http_url("gateway")))
    for unit in (unit.name for unit in units.every() if unit.grpc):
        client = apply.apply_client(admin, clients.service(unit, ensure_secret(folder, f"svc-{unit}")))
        if unit == "portal":
            apply.grant_management(admin, client, clients.PORTAL_RIGHTS)
    if demo:
        apply.apply_client(admin, clients.demo(ensure_secret(folder, "tongban-demo")))
    else:
        apply.remove_client(admin, "tongban-demo")
    ensure_secret(folder, "vault-key")
    made = apply_administrators(admin, folder, demo_password)
    log.info("realm_ready", realm=settings.realm, created=created, demo=demo, administrators=made)
