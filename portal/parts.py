"""What the portal's code stands on, beyond the chassis' parts.

Each made when it is first asked for, so after any fork.
"""

from __future__ import annotations

import hashlib
import hmac
from functools import cached_property

import httpx

from chassis import context
from chassis.errors import TongbanError
from chassis.identity_types import Principal
from chassis.parts import Parts
from chassis.repository import Repository
from portal.connectors import http
from portal.connectors.jar import Jars
from portal.connectors.opening import Opening
from portal.credentials import Credential, Credentials
from portal.model import App
from portal.vault import Vault


class PortalParts:
    """Catalogue, vault and connectors over one set of chassis parts."""

    def __init__(self, parts: Parts) -> None:
        self.chassis = parts

    @cached_property
    def apps(self) -> Repository[App]:
        """The catalogue."""
        return self.chassis.repository(App, "apps", what="应用")

    @cached_property
    def credential_records(self) -> Repository[Credential]:
        """The sealed credentials."""
        return self.chassis.repository(
            Credential, "credentials", what="密码", owners=lambda one: {f"p:{one.person}"}
        )

    @cached_property
    def vault(self) -> Vault:
        """Seals credentials and jars."""
        return Vault(self.chassis.settings.secret("vault-key"))

    @cached_property
    def credentials(self) -> Credentials:
        """People's credentials for legacy systems."""
        return Credentials(self.credential_records, self.vault)

    @cached_property
    def jars(self) -> Jars:
        """Cookies of legacy systems."""
        return Jars(self.chassis.store, self.vault)

    @cached_property
    def client(self) -> httpx.Client:
        """The HTTP client for legacy systems."""
        return http.client()

    @cached_property
    def opening(self) -> Opening:
        """Signs people in at legacy systems."""
        return Opening(self.client, self.credentials, self.jars, self.chassis.store)

    def refused(self, who: Principal | None, why: TongbanError, about: str, address: str) -> None:
        """Put on record that the proxy refused this."""
        with context.serving(context.Call(principal=who, address=address)):
            self.chassis.audit.record_if_possible("ProxyRefused", why, about=about)

    def receipt_id(self, session: str) -> str:
        """The unguessable number under which the receipts of a login's end are kept.

        Only its own browser is told.
        """
        key = self.chassis.settings.secret("vault-key")
        return hmac.new(key.encode(), f"receipt|{session}".encode(), hashlib.sha256).hexdigest()[:40]
